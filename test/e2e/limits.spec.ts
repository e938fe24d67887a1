import { afterEach, describe, expect, it, vi } from 'vitest';
import { logOutput } from '../../src/platform/observability/json.logger.js';
import { TokenService } from '../../src/tokens/token.service.js';
import { IMAGE_HEADERS } from '../../src/redirect/redirect-response.js';
import { converse } from '../support/connection.js';
import { type HttpResponse, problem, request, sendRaw } from '../support/http.js';
import { findRedis, startRedis } from '../support/redis-server.js';
import { createSeedTenant, createTenant, type Tenant } from '../support/seed.js';
import { ADMIN_KEY, startService, type Service } from '../support/service.js';

const redis = findRedis();

const undo: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step();
});

async function start(...args: Parameters<typeof startService>): Promise<Service> {
  const service = await startService(...args);
  undo.push(() => service.close());
  return service;
}

/** Statuses of a number of requests, one after the other. */
async function statuses(
  count: number,
  sendRequest: (index: number) => Promise<HttpResponse>,
): Promise<number[]> {
  const all: number[] = [];
  for (let index = 0; index < count; index += 1) all.push((await sendRequest(index)).status);
  return all;
}

const repeat = (status: number, count: number): number[] => Array.from({ length: count }, () => status);

function expectRefusal(received: HttpResponse, detail: RegExp): void {
  expect(received.status).toBe(429);
  expect(received.headers['content-type']).toBe('application/problem+json; charset=utf-8');
  const { retry_after: seconds, ...body } = received.json() as { retry_after: number };
  expect(body).toStrictEqual(problem(429, 'too_many_requests', expect.stringMatching(detail) as string));
  expect(received.headers['retry-after']).toBe(String(seconds));
  expect(seconds).toBeGreaterThanOrEqual(1);
  expect(seconds).toBeLessThanOrEqual(60);
}

describe('the rate limit by address', () => {
  // The tenant's own requests count too: issuer, image and overlay.
  const MADE = 3;

  async function startLimited(
    limit: number,
    variables: Readonly<Record<string, string>> = {},
  ): Promise<{ service: Service; tenant: Tenant }> {
    const service = await start({ RATE_LIMIT_ADDRESS: String(limit + MADE), ...variables });
    return { service, tenant: await createSeedTenant(service) };
  }

  it('refuses with the headers of images, before the token is checked', async () => {
    const { service, tenant } = await startLimited(3);
    const verify = vi.spyOn(service.app.get(TokenService), 'verify');
    const forged = `${tenant.path().slice(0, -4)}AAAA`;
    expect(await statuses(3, () => service.image(forged))).toStrictEqual(repeat(401, 3));
    expect(verify).toHaveBeenCalledTimes(3);
    const refused = await service.get(forged);
    expectRefusal(refused, /^Too many requests from this address\. Try again after \d+ s\.$/);
    for (const [name, value] of IMAGE_HEADERS) expect(refused.headers[name.toLowerCase()]).toBe(value);
    expect(await statuses(100, () => service.get(forged))).toStrictEqual(repeat(429, 100));
    expect((await service.get(tenant.path())).status).toBe(429);
    expect(verify).toHaveBeenCalledTimes(3);
  });

  it('applies to every route except health checks', async () => {
    const { service } = await startLimited(1);
    expect((await service.get('/nothing')).status).toBe(404);
    for (const path of ['/nothing', '/assets/blank.jpg', '/docs', '/admin/issuers', '/images/x/explain']) {
      expectRefusal(await service.get(path), /this address/);
    }
    for (const path of ['/health/live', '/health/ready']) expect((await service.get(path)).status).toBe(200);
  });

  it('refuses a body without reading it', async () => {
    const { service } = await startLimited(0);
    const { status, text } = await sendRaw(
      service.port,
      'POST /deliveries HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 5000000\r\n\r\n{',
    );
    expect(status).toBe(429);
    expect(text).toContain('too_many_requests');
  });

  it.each([
    ['a path that no router reads', 'GET /images/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 400],
    ['a request without Host', 'GET /nothing HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['two Host lines', 'GET /nothing HTTP/1.1\r\nHost: x\r\nHost: x\r\nConnection: close\r\n\r\n', 400],
    ['bytes that are not a request', 'GARBAGE\r\n\r\n', 400],
    ['a head over 16 KiB', `GET /${'x'.repeat(17_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431],
    [
      'an unknown expectation',
      'GET /nothing HTTP/1.1\r\nHost: x\r\nExpect: nonsense\r\nConnection: close\r\n\r\n',
      404,
    ],
  ])('counts %s', async (_, bytes, status) => {
    const { service } = await startLimited(3);
    for (const expected of [...repeat(status, 3), 429, 429]) {
      const response = await sendRaw(service.port, bytes);
      expect(response.status).toBe(expected);
      expect(response.text.toLowerCase().includes('\r\nretry-after: ')).toBe(expected === 429);
      expect(JSON.parse(response.body)).toMatchObject({ status: expected });
    }
    expectRefusal(await service.get('/nothing'), /this address/);
  });

  it('counts bytes that are not a request once, and no body of a counted request', async () => {
    const { service } = await startLimited(4);
    const broken = 'POST /deliveries HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
    expect((await sendRaw(service.port, `${broken}zz`)).status).toBe(400);
    await converse(service.port, ['GARBAGE\r\n', 20, 'GARBAGE\r\n', 20, 'GARBAGE\r\n']);
    expect(await statuses(3, () => service.get('/nothing'))).toStrictEqual([...repeat(404, 2), 429]);
  });

  it('does not limit a trusted proxy for bytes that are not a request', async () => {
    const { service } = await startLimited(3, { TRUST_PROXY: '1' });
    for (let index = 0; index < 20; index += 1) {
      expect((await sendRaw(service.port, 'GARBAGE\r\n\r\n')).status).toBe(400);
    }
    expect((await service.get('/nothing', { 'x-forwarded-for': '192.0.2.1' })).status).toBe(404);
    const unread = (): Promise<HttpResponse> =>
      service.get('/images/%zz', { 'x-forwarded-for': '192.0.2.2' });
    expect(await statuses(MADE + 4, unread)).toStrictEqual([...repeat(400, MADE + 3), 429]);
    expect((await service.get('/nothing', { 'x-forwarded-for': '192.0.2.3' })).status).toBe(404);
  });

  it.skipIf(redis === null)('counts in Redis as well', async () => {
    const server = await startRedis(redis ?? '');
    undo.push(() => server.stop());
    const { service } = await startLimited(3, { REDIS_URL: server.url });
    expect(await statuses(2, () => service.get('/images/%zz'))).toStrictEqual([400, 400]);
    expect((await sendRaw(service.port, 'GARBAGE\r\n\r\n')).status).toBe(400);
    expect((await service.get('/images/%zz')).status).toBe(429);
    const refused = await sendRaw(service.port, 'GARBAGE\r\n\r\n');
    expect(refused.status).toBe(429);
    expect(refused.text).toMatch(/\r\nConnection: close\r\n\r\n\{[^]*\}$/);
  });

  it('counts every item of a batch', async () => {
    const { service, tenant } = await startLimited(10);
    const batch = (count: number): Promise<HttpResponse> =>
      request({
        port: service.port,
        path: '/deliveries',
        method: 'POST',
        body: { deliveries: Array.from({ length: count }, () => ({ token: `${tenant.sign()}x` })) },
      });
    expect((await batch(8)).status).toBe(200);
    expect((await batch(5)).status).toBe(200);
    expectRefusal(await batch(1), /this address/);
    expectRefusal(await service.get(tenant.path()), /this address/);
  });

  it('cannot be evaded by X-Forwarded-For without a trusted proxy', async () => {
    const { service, tenant } = await startLimited(5);
    const from = (index: number): Promise<HttpResponse> =>
      service.get(tenant.path(), {
        'x-forwarded-for': `192.0.2.${index}`,
        forwarded: `for=192.0.2.${index}`,
      });
    expect(await statuses(8, from)).toStrictEqual([...repeat(302, 5), ...repeat(429, 3)]);
  });

  it('applies to each client behind a trusted proxy, by the proxy’s header and not the client’s', async () => {
    const { service, tenant } = await startLimited(3, { TRUST_PROXY: '1' });
    const from = (forwarded: string): Promise<HttpResponse> =>
      service.get(tenant.path(), { 'x-forwarded-for': forwarded });
    expect(await statuses(7, () => from('192.0.2.1'))).toStrictEqual([...repeat(302, 6), 429]);
    expect((await from('192.0.2.2')).status).toBe(302);
    // The proxy appends; the part before is the client's.
    expect((await from('198.51.100.9, 192.0.2.1')).status).toBe(429);
    // The network of one customer, whatever the address in it.
    const sixth = (index: number): Promise<HttpResponse> => from(`2001:db8:1:2::${index}`);
    expect(await statuses(7, sixth)).toStrictEqual([...repeat(302, 6), 429]);
    expect((await from('2001:db8:1:3::1')).status).toBe(302);
    const nonsense = (index: number): Promise<HttpResponse> => from(`nonsense-${index}`);
    expect(await statuses(7, nonsense)).toStrictEqual([...repeat(302, 6), 429]);
  });

  it.each([
    ['an IPv4 address with a port', '192.0.2.1:5001', '192.0.2.1:5002', '192.0.2.2:5001'],
    ['an IPv6 address with a port', '[2001:db8:1::1]:443', '2001:db8:1::2', '[2001:db8:2::1]:443'],
    ['mapped IPv6', '::ffff:192.0.2.1', '::ffff:c000:201', '::ffff:c000:202'],
    ['a zone', 'fe80:1::1%eth0', 'fe80:1::1%eth1', 'fe80:2::1%eth0'],
  ])('applies to each client if a proxy writes %s', async (_, mine, mineAgain, other) => {
    const { service, tenant } = await startLimited(3, { TRUST_PROXY: '1' });
    const from = async (forwarded: string): Promise<number> =>
      (await service.get(tenant.path(), { 'x-forwarded-for': forwarded })).status;
    for (let turn = 0; turn < 3; turn += 1) {
      expect([await from(mine), await from(mineAgain)]).toStrictEqual([302, 302]);
    }
    expect([await from(mine), await from(mineAgain), await from(other)]).toStrictEqual([429, 429, 302]);
  });

  it('ignores trusted proxies whose addresses have ports', async () => {
    const { service, tenant } = await startLimited(3, { TRUST_PROXY: '127.0.0.0/8,10.0.0.0/8,fd00::/8' });
    const from = (client: string): Promise<HttpResponse> =>
      service.get(tenant.path(), { 'x-forwarded-for': `${client}, [fd00::1]:80, 10.0.0.5:1234` });
    expect(await statuses(7, () => from('192.0.2.1:999'))).toStrictEqual([...repeat(302, 6), 429]);
    expect((await from('192.0.2.2:999')).status).toBe(302);
  });

  it('logs a warning once if a trusted proxy passes on no address', async () => {
    const lines: string[] = [];
    const write = vi.spyOn(logOutput, 'write').mockImplementation((line) => {
      lines.push(line);
    });
    try {
      const { service, tenant } = await startLimited(20, { TRUST_PROXY: '1', LOG_LEVEL: 'warn' });
      await service.get(tenant.path(), { 'x-forwarded-for': '192.0.2.1:80' });
      expect(lines).toStrictEqual([]);
      for (const forwarded of ['unknown', '_hidden', 'secret-text', 'unknown']) {
        expect((await service.get(tenant.path(), { 'x-forwarded-for': forwarded })).status).toBe(302);
      }
    } finally {
      write.mockRestore();
    }
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toStrictEqual([
      'A trusted proxy sent an X-Forwarded-For without the IP address of the client: such clients share one rate ' +
        'limit, and their wrong admin keys are not counted. Configure the proxy to write the address',
    ]);
  });
});

describe('the rate limit by issuer', () => {
  it('counts verified tokens in every form, and no other issuer’s', async () => {
    const service = await start({ RATE_LIMIT_ISSUER: '4' });
    const tenant = await createSeedTenant(service);
    const other = await createTenant(service, { publicId: 'other', overlayPublicId: 'other-mark' });
    const forged = `${tenant.path().slice(0, -4)}AAAA`;
    expect(await statuses(10, () => service.image(forged))).toStrictEqual(repeat(401, 10));
    expect((await service.image(tenant.path())).status).toBe(302);
    expect((await service.get(tenant.path().replace('?', '/explain?'))).status).toBe(200);
    const batch = await request({
      port: service.port,
      path: '/deliveries',
      method: 'POST',
      body: {
        deliveries: [
          ...repeat(0, 3).map(() => ({ image_id: tenant.imageId, token: tenant.sign() })),
          { image_id: other.imageId, token: other.sign() },
        ],
      },
    });
    const { deliveries } = batch.json() as {
      deliveries: { url?: string; problem?: { code: string; retry_after: number } }[];
    };
    expect(deliveries.map(({ url, problem }) => problem?.code ?? typeof url)).toStrictEqual([
      'string',
      'string',
      'too_many_requests',
      'string',
    ]);
    expect(deliveries[2]?.problem?.retry_after).toBe(15);
    const refused = await service.get(tenant.path());
    expectRefusal(refused, /^Too many requests with tokens of this issuer/);
    for (const [name, value] of IMAGE_HEADERS) expect(refused.headers[name.toLowerCase()]).toBe(value);
    expect((await service.image(other.path())).status).toBe(302);
  });

  it('counts public images for their issuer', async () => {
    const service = await start({ RATE_LIMIT_ISSUER: '2' });
    const tenant = await createTenant(service, { publicId: 'p', overlayPublicId: 'm', access: 'public' });
    const sendRequest = (): Promise<HttpResponse> => service.image(`/images/${tenant.imageId}`);
    expect(await statuses(3, sendRequest)).toStrictEqual([302, 302, 429]);
  });
});

describe('the rate limit of an issuer’s policy', () => {
  it.each([
    ['alone', '0', 3],
    ['below that of all issuers', '100', 3],
    ['above that of all issuers', '2', 2],
  ])('refuses only its own requests, cached ones too: %s', async (_, limit, accepted) => {
    const service = await start({ RATE_LIMIT_ISSUER: limit });
    const tenant = await createSeedTenant(service);
    const other = await createTenant(service, { publicId: 'other', overlayPublicId: 'other-mark' });
    const policy = { requests_per_minute: 3 };
    await service.admin('PATCH', `/issuers/${tenant.issuerId}`, { policy });
    const path = tenant.path();
    const sent = await statuses(5, () => service.image(path));
    expect(sent).toStrictEqual([...repeat(302, accepted), ...repeat(429, 5 - accepted)]);
    expectRefusal(await service.get(path), /^Too many requests with tokens of this issuer/);
    expect((await service.image(other.path())).status).toBe(302);
    // A higher limit applies to the next request.
    if (limit !== '0') return;
    await service.admin('PATCH', `/issuers/${tenant.issuerId}`, { policy: {} });
    expect(await statuses(5, () => service.image(path))).toStrictEqual(repeat(302, 5));
  });
});

describe('the rate limit of failed admin keys', () => {
  it('refuses an address that guesses, and no other', async () => {
    const service = await start({ RATE_LIMIT_ADDRESS: '6000', TRUST_PROXY: '1' });
    const sendRequest = (address: string, key: string): Promise<HttpResponse> =>
      service.get('/admin/issuers', { authorization: `Bearer ${key}`, 'x-forwarded-for': address });
    const guess = (index: number): Promise<HttpResponse> => sendRequest('192.0.2.1', `guess-${index}`);
    expect(await statuses(60, guess)).toStrictEqual(repeat(401, 60));
    expectRefusal(await guess(61), /without a valid admin key/);
    expect((await sendRequest('192.0.2.2', ADMIN_KEY)).status).toBe(200);
  });

  it('refuses guesses that are sent together, and no valid key beside them', async () => {
    const service = await start({ RATE_LIMIT_ADDRESS: '6000' });
    const head = (key: string): string =>
      `GET /admin/issuers HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${key}\r\n`;
    const guesses = Array.from({ length: 200 }, (_, index) => `${head(`guess-${index}`)}\r\n`);
    const { text } = await sendRaw(
      service.port,
      `${guesses.join('')}${head('last')}Connection: close\r\n\r\n`,
    );
    const found = [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
    expect(found).toStrictEqual([...repeat(401, 60), ...repeat(429, 141)]);
  });

  it('lets any number of requests with a valid key run at the same time', async () => {
    const service = await start({ RATE_LIMIT_ADDRESS: '6000' });
    const found = await Promise.all(
      repeat(0, 150).map(() => service.get('/admin/issuers', { authorization: `Bearer ${ADMIN_KEY}` })),
    );
    expect(found.map(({ status }) => status)).toStrictEqual(repeat(200, 150));
  });

  it.each([
    ['192.0.2.1:1000', '192.0.2.1:1001', '192.0.2.2:1000'],
    ['[2001:db8:1::1]:1000', '[2001:db8:1::1]:1001', '[2001:db8:2::1]:1000'],
  ])('applies to a client at any port, and to no other: %s', async (mine, mineAgain, other) => {
    const service = await start({ RATE_LIMIT_ADDRESS: '6000', TRUST_PROXY: '1' });
    const sendRequest = (address: string, key: string): Promise<HttpResponse> =>
      service.get('/admin/issuers', { authorization: `Bearer ${key}`, 'x-forwarded-for': address });
    expect(await statuses(60, (index) => sendRequest(mine, `guess-${index}`))).toStrictEqual(repeat(401, 60));
    expect([
      (await sendRequest(mineAgain, ADMIN_KEY)).status,
      (await sendRequest(other, ADMIN_KEY)).status,
    ]).toStrictEqual([429, 200]);
  });

  it.each(['unknown', '_hidden', 'nonsense'])(
    'does not lock out other clients if the proxy passes on %s',
    async (text) => {
      const service = await start({ RATE_LIMIT_ADDRESS: '6000', TRUST_PROXY: '1' });
      const sendRequest = (key: string): Promise<HttpResponse> =>
        service.get('/admin/issuers', { authorization: `Bearer ${key}`, 'x-forwarded-for': text });
      expect(await statuses(65, (index) => sendRequest(`guess-${index}`))).toStrictEqual(repeat(401, 65));
      expect((await sendRequest(ADMIN_KEY)).status).toBe(200);
    },
  );

  it('does not count requests with a key', async () => {
    const service = await start();
    expect(await statuses(100, () => service.admin('GET', '/issuers'))).toStrictEqual(repeat(200, 100));
  });
});
