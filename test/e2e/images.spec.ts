import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { logOutput } from '../../src/platform/observability/json.logger.js';
import { RedirectCache } from '../../src/redirect/redirect-cache.js';
import { comparable, NO_IMAGE, NO_OVERLAY, problem, request, sendRaw } from '../support/http.js';
import { createSeedTenant, createTenant, post, SEED, type Tenant } from '../support/seed.js';
import { CLOUD, startService, TEST_VARIABLES, type ImageResponse, type Service } from '../support/service.js';
import { signWithSdk } from '../support/location-parser.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

let service: Service;
let tenant: Tenant;
let neighbour: Tenant;

beforeAll(async () => {
  service = await startService();
  tenant = await createSeedTenant(service);
  neighbour = await createTenant(service, {
    publicId: 'of_a_neighbour',
    overlayPublicId: 'neighbours_layer',
  });
});
afterAll(() => service.close());

const INVALID_IMAGE_ID = problem(
  400,
  'invalid_image_id',
  'The image id in the path must be a UUID, unless the token’s `image_id` names the image.',
);
const UNREADABLE = problem(
  400,
  'bad_request',
  'The request cannot be read: its path or body is malformed. A body must be JSON.',
);
const INVALID_HOST = problem(
  400,
  'invalid_host',
  'The Host header is not a host name with an optional port. Send a well-formed one.',
);

describe('the id in the path', () => {
  it.each<[id: string, body: object]>([
    ['image.jpg', INVALID_IMAGE_ID],
    ['1', INVALID_IMAGE_ID],
    [SEED.imageId.replaceAll('-', ''), INVALID_IMAGE_ID],
    [`${SEED.imageId}.jpg`, INVALID_IMAGE_ID],
    [`${SEED.imageId}%00`, INVALID_IMAGE_ID],
    [`%20${SEED.imageId}`, INVALID_IMAGE_ID],
    [`%7B${SEED.imageId}%7D`, INVALID_IMAGE_ID],
    [`urn:uuid:${SEED.imageId}`, INVALID_IMAGE_ID],
    ['%00', INVALID_IMAGE_ID],
    ['..%2f', INVALID_IMAGE_ID],
    ['..%2f..%2fadmin%2fissuers', INVALID_IMAGE_ID],
    ['%252e', INVALID_IMAGE_ID],
    ['%252e%252e%252f', INVALID_IMAGE_ID],
    ["'%20OR%201=1--", INVALID_IMAGE_ID],
    ['%zz', UNREADABLE],
    ['%', UNREADABLE],
    ['%c3%28', UNREADABLE],
  ])('that is not a UUID is refused, with a valid token and without one: %s', async (id, body) => {
    for (const query of [`?token=${tenant.sign()}`, '']) {
      const response = await service.image(`/images/${id}${query}`);
      expect(response.json()).toStrictEqual(body);
      expect(response.status).toBe(400);
      expect(response.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    }
  });

  it('may have 10,000 characters: it is checked like any other', async () => {
    const response = await service.image(`/images/${'a'.repeat(10_000)}?token=${tenant.sign()}`);
    expect(response.json()).toStrictEqual(INVALID_IMAGE_ID);
  });

  it('is a UUID in either case, or percent-encoded', async () => {
    const token = tenant.sign();
    const [plain, ...others] = await Promise.all(
      [SEED.imageId, SEED.imageId.toUpperCase(), `%31${SEED.imageId.slice(1)}`].map((id) =>
        service.image(`/images/${id}?token=${token}`),
      ),
    );
    expect(plain?.status).toBe(302);
    for (const other of others) expect(other.headers.location).toBe(plain?.headers.location);
  });

  it.each(['/images', '/images/', `/images/${SEED.imageId}/`, `/images/${SEED.imageId}/more`, '//images/x'])(
    'cannot be omitted or followed by more: %s',
    async (path) => {
      const response = await service.image(path);
      expect([400, 404]).toContain(response.status);
      expect(response.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    },
  );

  it.each(['POST', 'PUT', 'PATCH', 'DELETE'])('is read-only: %s matches no route', async (method) => {
    const response = await request({ port: service.port, path: tenant.path(), method });
    expect(response.status).toBe(404);
    expect(response.json()).toStrictEqual(
      problem(404, 'not_found', 'No route matches this method and path. Check both.'),
    );
  });
});

describe('another issuer’s rows', () => {
  it('an unknown image and one of another issuer get identical responses', async () => {
    const token = tenant.sign();
    const [missing, foreign] = await Promise.all(
      [randomUUID(), neighbour.imageId].map((id) => service.image(`/images/${id}?token=${token}`)),
    );
    expect(missing?.json()).toStrictEqual(NO_IMAGE);
    expect(foreign && comparable(foreign)).toStrictEqual(missing && comparable(missing));
  });

  it('so do images that a claim names', async () => {
    const [missing, foreign] = await Promise.all(
      [randomUUID(), neighbour.imageId].map((image_id) =>
        service.image(`/images/image.jpg?token=${tenant.sign({ image_id })}`),
      ),
    );
    expect(missing?.json()).toStrictEqual(NO_IMAGE);
    expect(foreign && comparable(foreign)).toStrictEqual(missing && comparable(missing));
  });

  it.each(['overlay', 'underlay'])(
    'an unknown %s and one of another issuer get identical responses',
    async (key) => {
      const sendRequest = (id: string): Promise<ImageResponse> => service.image(tenant.steps({ [key]: id }));
      const missing = await sendRequest(randomUUID());
      expect(missing.json()).toStrictEqual(NO_OVERLAY);
      for (const id of [neighbour.overlayId, neighbour.overlayId.toUpperCase(), tenant.imageId]) {
        expect(comparable(await sendRequest(id))).toStrictEqual(comparable(missing));
      }
    },
  );

  it('a deleted overlay gets the response for an unknown one', async () => {
    const { id } = await post<{ id: string }>(service, '/overlays', {
      issuer_id: tenant.issuerId,
      public_id: 'short_lived',
    });
    const path = tenant.steps({ overlay: id });
    expect((await service.image(path)).status).toBe(302);
    await service.admin('DELETE', `/overlays/${id}`);
    expect((await service.image(path)).json()).toStrictEqual(NO_OVERLAY);
  });
});

describe('a token bound to images', () => {
  it('by a list opens only those', async () => {
    const [a, b, c] = await Promise.all(
      ['listed_a', 'listed_b', 'not_listed'].map((public_id) =>
        post<{ id: string }>(service, '/images', { issuer_id: tenant.issuerId, public_id, version: 1 }),
      ),
    );
    const token = tenant.sign({ image_id: [a?.id, b?.id.toUpperCase()] });
    const sendRequest = (id = ''): Promise<ImageResponse> => service.image(`/images/${id}?token=${token}`);
    expect((await sendRequest(a?.id)).shown?.publicId).toBe('listed_a');
    expect((await sendRequest(b?.id)).shown?.publicId).toBe('listed_b');
    const other = await sendRequest(c?.id);
    expect(other.json()).toStrictEqual(
      problem(
        403,
        'image_not_in_token',
        'The token is bound to other images. Sign one whose `image_id` lists this image.',
      ),
    );
    for (const id of [randomUUID(), neighbour.imageId]) {
      expect(comparable(await sendRequest(id))).toStrictEqual(comparable(other));
    }
    expect((await sendRequest('image.jpg')).json()).toStrictEqual(INVALID_IMAGE_ID);
  });

  it('of another issuer is refused although it lists the image', async () => {
    const token = tenant.sign({ image_id: [neighbour.imageId] });
    const response = await service.image(`/images/${neighbour.imageId}?token=${token}`);
    expect(response.json()).toStrictEqual(NO_IMAGE);
  });
});

describe('deleted rows', () => {
  const DELETED = problem(410, 'image_deleted', 'The image was deleted. Remove the links to it.');

  it.each(['token', 'public'] as const)('a deleted image of access %s returns 410', async (access) => {
    const owner = await createTenant(service, {
      publicId: `deleted_${access}`,
      overlayPublicId: `layer_of_deleted_${access}`,
      access,
    });
    const plain = `/images/${owner.imageId}`;
    expect((await service.image(owner.path())).status).toBe(302);
    await service.admin('DELETE', plain);
    expect((await service.image(owner.path())).json()).toStrictEqual(DELETED);
    const withoutToken = await service.image(plain);
    if (access === 'public') expect(withoutToken.json()).toStrictEqual(DELETED);
    else expect(withoutToken.json()).toMatchObject({ status: 401, code: 'token_required' });
  });

  it('a disabled issuer’s tokens are refused until it is enabled again', async () => {
    const owner = await createTenant(service, {
      publicId: 'on_and_off',
      overlayPublicId: 'on_and_off_layer',
    });
    const set = (disabled: boolean): Promise<unknown> =>
      service.admin('PATCH', `/issuers/${owner.issuerId}`, { disabled });
    const status = async (): Promise<number> => (await service.image(owner.path())).status;
    expect(await status()).toBe(302);
    await set(true);
    expect(await status()).toBe(401);
    await set(false);
    expect(await status()).toBe(302);
  });
});

describe('the Host header', () => {
  const BAD_HOSTS = [
    'evil.example/path',
    'evil.example?x=',
    'evil.example#',
    'user@evil.example',
    'a:b@evil.example:80',
    'evil.example:port',
    'evil.example:123456',
    'evil.example:80:80',
    'evil example',
    'evil.example,other.example',
    '"><script>alert(1)</script>',
    "javascript:alert('1')",
    '\\evil.example',
    '%65vil.example',
    '..',
    '-',
    '[::1',
    '[evil]',
    '::1',
    ':80',
    'пример.example',
  ];

  it.each(BAD_HOSTS)('%j is refused and never in a Location', async (host) => {
    const { status, text, body } = await sendRaw(
      service.port,
      `GET ${tenant.path()} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    );
    expect(status).toBe(400);
    expect(text).not.toMatch(/^location:/im);
    expect(JSON.parse(body)).toStrictEqual(INVALID_HOST);
  });

  it('that is empty is refused', async () => {
    const { status, text } = await sendRaw(
      service.port,
      `GET ${tenant.path()} HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n`,
    );
    expect(status).toBe(400);
    expect(text).not.toMatch(/^location:/im);
  });

  // RFC 9112 §3.2: a proxy may have used the other one.
  it.each([
    ['none', '', 'The request has no Host header. Send one.'],
    ['two', 'Host: a.example\r\nHost: b.example\r\n', 'The request has several Host headers. Send one.'],
    [
      'the same twice',
      'Host: a.example\r\nhost: a.example\r\n',
      'The request has several Host headers. Send one.',
    ],
    ['an empty second', 'Host: a.example\r\nHOST:\r\n', 'The request has several Host headers. Send one.'],
  ])('must appear only once on every route: %s', async (_, lines, detail) => {
    const routes = ['/', '/health/live', '/admin/issuers', '/images/%zz', '/nothing', tenant.path()];
    for (const route of routes) {
      const { status, text, body } = await sendRaw(
        service.port,
        `GET ${route} HTTP/1.1\r\n${lines}X-Request-Id: own\r\nConnection: close\r\n\r\n`,
      );
      expect(status).toBe(400);
      expect(text).not.toMatch(/^location:/im);
      expect(text).toMatch(/^x-request-id: own\r$/im);
      expect(text).toMatch(/^content-type: application\/problem\+json; charset=utf-8\r$/im);
      expect(JSON.parse(body)).toStrictEqual({ ...INVALID_HOST, detail });
    }
  });

  it('may be absent in HTTP/1.0', async () => {
    const { status } = await sendRaw(service.port, 'GET /health/live HTTP/1.0\r\n\r\n');
    expect(status).toBe(200);
  });

  it.each([
    'example.org',
    'example.org:8080',
    'EXAMPLE.org',
    'a_b-c.example.org',
    'localhost',
    '10.0.0.1:3000',
    '[2001:db8::1]',
    '[::1]:3000',
    'example.org.',
  ])('%s is the origin of the Location', async (host) => {
    const response = await service.image(tenant.path(), { headers: { host } });
    expect(response.shown?.prefix).toBe(`http://${host}/assets/blank.jpg`);
  });

  it('is used for explain and for deliveries as well', async () => {
    const host = 'user@evil.example';
    const explained = await request({
      port: service.port,
      path: `/images/${tenant.imageId}/explain?token=${tenant.sign()}`,
      headers: { host },
    });
    expect(explained.json()).toStrictEqual(INVALID_HOST);
    const delivered = await request({
      port: service.port,
      path: '/deliveries',
      method: 'POST',
      headers: { host },
      body: { deliveries: [{ image_id: tenant.imageId, token: tenant.sign() }] },
    });
    expect(delivered.status).toBe(400);
    expect(delivered.json()).toStrictEqual(INVALID_HOST);
  });

  it('of a proxy is ignored unless TRUST_PROXY allows it', async () => {
    const headers = { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' };
    const response = await service.image(tenant.path(), { headers });
    expect(response.shown?.prefix).toBe(`${service.url}/assets/blank.jpg`);
  });
});

describe('TRUST_PROXY', () => {
  it.each(['1', '127.0.0.1', '10.0.0.0/8,127.0.0.0/8'])('%s trusts the proxy’s headers', async (value) => {
    await withService({ TRUST_PROXY: value }, async (behindProxy, owner) => {
      const forwarded = (host: string, proto = 'https'): Record<string, string> => ({
        'x-forwarded-host': host,
        'x-forwarded-proto': proto,
      });
      const response = await behindProxy.image(owner.path(), {
        headers: forwarded('img.example.com'),
        origin: 'https://img.example.com',
      });
      expect(response.shown?.prefix).toBe('https://img.example.com/assets/blank.jpg');
      for (const headers of [
        forwarded('evil.example/x'),
        forwarded('user@evil.example'),
        forwarded('a.example', 'javascript'),
      ]) {
        const refused = await behindProxy.image(owner.path(), { headers });
        expect(refused.json()).toStrictEqual(INVALID_HOST);
      }
    });
  });

  it('of another address trusts no header', async () => {
    await withService({ TRUST_PROXY: '192.0.2.1' }, async (behindProxy, owner) => {
      const headers = { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' };
      const response = await behindProxy.image(owner.path(), { headers });
      expect(response.shown?.prefix).toBe(`${behindProxy.url}/assets/blank.jpg`);
    });
  });
});

describe('PUBLIC_URL', () => {
  it('is the origin of every Location, whatever the Host', async () => {
    const PUBLIC_URL = 'https://img.example.com:8443';
    await withService({ PUBLIC_URL, TRUST_PROXY: '1' }, async (fixed, owner) => {
      for (const headers of [
        { host: 'evil.example' },
        { host: 'user@evil.example' },
        { host: '"><script>' },
        { 'x-forwarded-host': 'evil.example' },
        { 'x-forwarded-host': 'evil.example/x', 'x-forwarded-proto': 'javascript' },
      ]) {
        const response = await fixed.image(owner.path(), { headers: headers });
        expect(response.shown?.prefix).toBe(`${PUBLIC_URL}/assets/blank.jpg`);
      }
    });
  });
});

describe('X-Request-Id', () => {
  it.each(['a', 'b9f1-4_x@host', '0'.repeat(255), randomUUID()])('%j is kept', async (id) => {
    for (const path of [tenant.path(), '/images/x', '/nowhere', '/health/live']) {
      const response = await service.image(path, { headers: { 'x-request-id': id } });
      expect(response.headers['x-request-id']).toBe(id);
    }
  });

  it.each(['', 'a b', 'a"b', '{"level":"info"}', 'ü', 'a;b', '0'.repeat(256)])(
    '%j is replaced',
    async (id) => {
      const response = await service.image(tenant.path(), { headers: { 'x-request-id': id } });
      expect(response.headers['x-request-id']).toMatch(UUID);
    },
  );

  it('is generated for every request without one', async () => {
    const ids = await Promise.all(
      Array.from(
        { length: 5 },
        async () => (await service.image(tenant.path())).headers['x-request-id'] as string,
      ),
    );
    expect(new Set(ids).size).toBe(5);
  });
});

describe('HEAD', () => {
  it.each<[name: string, path: () => string, status: number]>([
    ['a redirect', () => tenant.path({ transformations: [{ width: 5 }] }), 302],
    ['a refused token', () => `/images/${tenant.imageId}?token=a.b.c`, 401],
    ['an id that is not a UUID', () => '/images/x', 400],
    ['explain', () => `/images/${tenant.imageId}/explain?token=${tenant.sign()}`, 200],
    ['the blank image', () => '/assets/blank.jpg', 200],
  ])('returns for %s the headers of GET, without the body', async (_, path, status) => {
    const [head, get] = [
      await service.image(path(), { method: 'HEAD' }),
      await service.image(path(), { method: 'GET' }),
    ];
    expect(head.status).toBe(status);
    expect(comparable(head)).toStrictEqual({ ...(comparable(get) as object), text: '' });
    expect(get.text).not.toBe('');
  });
});

describe('the blank image', () => {
  it('is a JPEG of at least one pixel, which caches may store', async () => {
    const response = await fetch(`${service.url}/assets/blank.jpg`);
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'image/jpeg',
      'content-length': String(bytes.length),
      'cache-control': 'public, max-age=31536000, immutable',
      'x-content-type-options': 'nosniff',
    });
    // SOI, then segments up to the frame, which has the size; EOI at the end (ITU T.81, B.1).
    expect(bytes.subarray(0, 2).toString('hex')).toBe('ffd8');
    expect(bytes.subarray(-2).toString('hex')).toBe('ffd9');
    let at = 2;
    while (bytes[at] === 0xff && ![0xc0, 0xc1, 0xc2].includes(bytes[at + 1] ?? 0))
      at += 2 + bytes.readUInt16BE(at + 2);
    expect(bytes[at]).toBe(0xff);
    expect(bytes.readUInt16BE(at + 5)).toBeGreaterThan(0);
    expect(bytes.readUInt16BE(at + 7)).toBeGreaterThan(0);
  });
});

describe('delivery mode cloudinary', () => {
  it('redirects to the signed URL itself, and needs no Host', async () => {
    await withService({ DELIVERY_MODE: 'cloudinary' }, async (direct, owner) => {
      const path = owner.path({ transformations: SEED.transformations, sharinpix: {} });
      const response = await direct.image(path, { headers: { host: 'user@evil.example' } });
      const { location = '' } = response.headers;
      expect(location).toMatch(
        /^https:\/\/res\.cloudinary\.com\/sadaasdasd\/image\/authenticated\/s--[\w-]{8}--\/c_fit,h_1920,w_1920\/fl_attachment\/dpr_auto,q_auto,f_auto\/fl_tiled,l_private:d47e609177b4,w_200\/c_fit,h_102,w_101\/v123123\/ba5a440dbe3d\.jpg$/,
      );
      expect(response.text).toBe(
        `<html><body>You are being <a href="${location}">redirected</a>.</body></html>`,
      );
    });
  });
});

describe('CLOUDINARY_SIGNATURE', () => {
  it('signs with SHA-1, with SHA-256, or with SHA-256 in 32 characters, each as the SDK does', async () => {
    const signatures: Record<string, string> = {};
    for (const value of ['sha1', 'sha256', 'long']) {
      await withService({ CLOUDINARY_SIGNATURE: value }, async (signing, owner) => {
        const { shown } = await signing.image(owner.path({ transformations: [{ width: 5 }] }));
        signatures[value] = shown?.signature ?? '';
      });
    }
    const { sha1 = '', sha256 = '', long = '' } = signatures;
    expect([sha1.length, sha256.length, long.length]).toStrictEqual([8, 8, 32]);
    expect(sha256).not.toBe(sha1);
    expect(long.slice(0, 8)).toBe(sha256);
  });
});

describe('CLOUDINARY_AUTH_TOKEN_KEY', () => {
  const key = '0123456789abcdef0123456789abcdef';
  const variables = {
    CLOUDINARY_AUTH_TOKEN_KEY: key,
    CLOUDINARY_AUTH_TOKEN_DURATION: '600',
    CLOUDINARY_AUTH_TOKEN_ROUND: '0',
  };
  const seconds = (): number => Math.floor(Date.now() / 1000);

  it('lets the URL expire a minute after the token, as the SDK writes it', async () => {
    await withService(variables, async (expiring, owner) => {
      const exp = seconds() + 4321;
      const { shown, headers } = await expiring.image(owner.path({ exp, transformations: [{ width: 5 }] }));
      expect(shown).toMatchObject({ expiresAt: exp + 60, signature: '' });
      const { publicId, version } = SEED;
      const components = ['c_fit,h_1920,w_1920', 'fl_attachment', 'dpr_auto,q_auto,f_auto', 'w_5'];
      const expected = signWithSdk(
        { publicId, deliveryType: 'authenticated', version, format: 'jpg', components },
        { auth_token: { key, expiration: exp + 60 } },
      );
      expect(headers.location?.split('#')[1]).toBe(expected);
      const fraction = await expiring.image(owner.path({ exp: exp + 0.9, transformations: [{ width: 5 }] }));
      expect(fraction.headers.location).toBe(headers.location);
    });
  });

  it('lets the URL of a token without exp, and of a public image, expire after the configured duration', async () => {
    await withService(variables, async (expiring, owner) => {
      await expiring.admin('PATCH', `/images/${owner.imageId}`, { access: 'public' });
      for (const path of [owner.path(), `/images/${owner.imageId}`]) {
        const before = seconds();
        const { shown } = await expiring.image(path);
        const after = seconds();
        expect(shown?.expiresAt).toBeGreaterThanOrEqual(before + 600);
        expect(shown?.expiresAt).toBeLessThanOrEqual(after + 600);
      }
    });
  });

  it('caches redirects only if their URL is the same at each request', async () => {
    await withService(variables, async (expiring, owner) => {
      expect(await cachedAfter(expiring, owner.path())).toBe(0);
      expect(await cachedAfter(expiring, owner.path({ exp: seconds() + 4321 }))).toBe(1);
    });
  });

  it('leads a token without exp, and a public image, to one URL until its rounded expiry changes', async () => {
    // No test runs for a day: the expiry changes at most once.
    const rounded = { ...variables, CLOUDINARY_AUTH_TOKEN_ROUND: '86400' };
    await withService(rounded, async (expiring, owner) => {
      await expiring.admin('PATCH', `/images/${owner.imageId}`, { access: 'public' });
      await expiring.admin('PATCH', `/issuers/${owner.issuerId}`, {
        policy: { redirect_cache: 'private', redirect_max_age: 86_400 },
      });
      for (const path of [owner.path({ nbf: 1_700_000_000 }), `/images/${owner.imageId}`]) {
        const locations = new Set<string | undefined>();
        for (let request = 0; request < 3; request += 1) {
          const { shown, headers } = await expiring.image(path);
          locations.add(headers.location);
          const expiresAt = shown?.expiresAt ?? 0;
          expect(expiresAt % 86_400).toBe(0);
          expect(expiresAt).toBeGreaterThanOrEqual(seconds() + 599);
          // Until the URL expires, less the time to load its image.
          const maxAge = Number(/max-age=(\d+)/.exec(headers['cache-control'] ?? '')?.[1]);
          expect(Math.abs(Math.min(86_400, expiresAt - 30 - seconds()) - maxAge)).toBeLessThan(5);
        }
        expect(locations.size).toBeLessThanOrEqual(2);
      }
      expect(await cachedAfter(expiring, owner.path())).toBeGreaterThan(0);
    });
  });

  it('lets the URL start at the nbf of the token, less its leeway', async () => {
    await withService(variables, async (expiring, owner) => {
      const nbf = seconds() + 20;
      const { shown } = await expiring.image(owner.path({ nbf, exp: nbf + 100 }));
      expect(shown).toMatchObject({ startsAt: nbf - 30, expiresAt: nbf + 160 });
    });
  });

  it('keeps the signature beside the token if CLOUDINARY_AUTH_TOKEN_SIGNATURE is on', async () => {
    const both = { ...variables, CLOUDINARY_AUTH_TOKEN_SIGNATURE: 'on' };
    await withService(both, async (expiring, owner) => {
      const exp = seconds() + 4321;
      const { shown } = await expiring.image(owner.path({ exp, transformations: [{ width: 5 }] }));
      expect(shown).toMatchObject({
        expiresAt: exp + 60,
        signature: expect.stringMatching(/^.{8}$/) as string,
      });
    });
  });

  it.each([
    ['', 1],
    ['?private_cdn=true', 0],
    ['?secure_distribution=img.example.com', 0],
  ])('warns at the start if the account has no host of its own: %j', async (options, count) => {
    const lines: string[] = [];
    const write = vi.spyOn(logOutput, 'write').mockImplementation((line) => {
      lines.push(line);
    });
    try {
      const CLOUDINARY_URL = TEST_VARIABLES.CLOUDINARY_URL + options;
      await (await startService({ ...variables, CLOUDINARY_URL, LOG_LEVEL: 'warn' })).close();
    } finally {
      write.mockRestore();
    }
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toStrictEqual(
      Array<string>(count).fill(
        'CLOUDINARY_AUTH_TOKEN_KEY is set, and CLOUDINARY_URL has neither private_cdn nor secure_distribution: ' +
          'Cloudinary documents __cld_token__ for private CDNs only, so test that URLs open and expire',
      ),
    );
  });
});

describe('the options of CLOUDINARY_URL', () => {
  it.each([
    ['', `https://res.cloudinary.com/${CLOUD}`],
    ['?secure=true', `https://res.cloudinary.com/${CLOUD}`],
    ['?private_cdn=true', `https://${CLOUD}-res.cloudinary.com`],
    ['?secure_distribution=img.example.com', `https://img.example.com/${CLOUD}`],
    [
      '?private_cdn=true&secure_distribution=img.example.com&long_url_signature=true',
      'https://img.example.com',
    ],
    ['?private_cdn=true&signature_algorithm=sha256', `https://${CLOUD}-res.cloudinary.com`],
  ])('%j lead to %s, whatever the request contains', async (options, base) => {
    const CLOUDINARY_URL = TEST_VARIABLES.CLOUDINARY_URL + options;
    await withService({ CLOUDINARY_URL, DELIVERY_MODE: 'cloudinary' }, async (own, owner) => {
      const path = owner.path({
        transformations: [{ width: 5, secure_distribution: 'evil.example', private_cdn: true }],
        sharinpix: { host: 'evil.example' },
      });
      const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example' };
      const { headers: sent } = await own.image(`${path}&host=evil.example`, { headers });
      expect(sent.location?.startsWith(`${base}/image/authenticated/s--`)).toBe(true);
    });
  });
});

/** Cached redirects after three requests. */
async function cachedAfter(service: Service, path: string): Promise<number> {
  for (let round = 0; round < 3; round += 1) await service.image(path);
  return service.app.get(RedirectCache, { strict: false }).size.entries;
}

/** A service with other settings and the seed's tenant. */
async function withService(
  variables: Readonly<Record<string, string>>,
  use: (service: Service, owner: Tenant) => Promise<void>,
): Promise<void> {
  const other = await startService(variables);
  try {
    await use(other, await createSeedTenant(other));
  } finally {
    await other.close();
  }
}
