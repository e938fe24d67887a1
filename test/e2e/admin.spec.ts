import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { comparable, type HttpResponse, NO_IMAGE, NO_OVERLAY, problem, request } from '../support/http.js';
import { createTenant, post, type Tenant } from '../support/seed.js';
import { ADMIN_KEY, startService, type Service } from '../support/service.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const uuid = expect.stringMatching(UUID) as string;
const instant = expect.stringMatching(INSTANT) as string;

let service: Service;
let tenant: Tenant;
let neighbour: Tenant;

beforeAll(async () => {
  service = await startService();
  tenant = await createTenant(service, { publicId: 'tenants_image', overlayPublicId: 'tenants_layer' });
  neighbour = await createTenant(service, {
    publicId: 'neighbours_image',
    overlayPublicId: 'neighbours_layer',
  });
});
afterAll(() => service.close());

type Body = Record<string, unknown>;
const invalid = (...errors: (readonly [key: string, detail: string])[]): object =>
  problem(422, 'invalid_request', 'The request does not have the form of this route: see errors.', {
    errors: errors.map(([key, detail]) => ({ key, detail })),
  });
const KEY_REQUIRED = problem(
  401,
  'admin_key_required',
  'This needs an admin key. Send it as `Authorization: Bearer <key>`.',
);
const KEY_INVALID = {
  ...KEY_REQUIRED,
  detail: 'The admin key is unknown, revoked or expired. Check it, or create another one.',
};
const KEY_FORM = {
  ...KEY_REQUIRED,
  detail: 'The Authorization header is not of the form `Bearer <key>`. Send the admin key in that form.',
};
const NO_ISSUER = problem(404, 'issuer_not_found', 'No issuer has this id. Check it.');
const NO_KEY = problem(404, 'key_not_found', 'The issuer has no key with this id. Check both ids.');
const NO_ADMIN_KEY = problem(
  404,
  'admin_key_not_found',
  'No admin key has this id. Check it; keys of ADMIN_API_KEYS have no id.',
);
const IMAGE_DELETED = problem(410, 'image_deleted', 'The image was deleted. Remove the links to it.');
const ID_TAKEN = problem(
  409,
  'id_taken',
  'The id is taken. Use another UUID, or omit `id` to have one generated.',
  { key: 'id' },
);
const takenBy = (kind: string, id: string, issuerId: string): object =>
  problem(
    409,
    'public_id_taken',
    `The public id is already registered as the ${kind} ${id} of the issuer ${issuerId}. Use that row, or delete it first.`,
    { key: 'public_id', taken_by: kind, row_id: id },
  );

async function expectResponse(
  response: HttpResponse | Promise<HttpResponse>,
  status: number,
  body: unknown,
): Promise<Record<string, unknown>> {
  const { status: given, text, headers } = await response;
  const parsed: unknown = text === '' ? null : JSON.parse(text);
  expect(parsed).toStrictEqual(body);
  expect(given).toBe(status);
  expect(headers['cache-control']).toBe('no-store');
  if (status !== 204) {
    const type = status < 400 ? 'application/json' : 'application/problem+json';
    expect(headers['content-type']).toBe(`${type}; charset=utf-8`);
  }
  return parsed as Record<string, unknown>;
}

let names = 0;
/** A public id that no other test uses. */
const freshName = (): string => `fresh_${++names}`;

type Route = [method: string, path: string, body?: Body];
/** Every route of the admin API, with ids of a tenant's rows for its parameters. */
const ROUTES: readonly Route[] = [
  ['POST', '/issuers', { name: 'x' }],
  ['GET', '/issuers'],
  ['GET', '/issuers/{id}'],
  ['PATCH', '/issuers/{id}', {}],
  ['DELETE', '/issuers/{id}'],
  ['POST', '/issuers/{id}/keys', {}],
  ['PATCH', '/issuers/{id}/keys/{key_id}', {}],
  ['DELETE', '/issuers/{id}/keys/{key_id}'],
  ['POST', '/issuers/{id}/revocations', { jti: 'x' }],
  ['GET', '/issuers/{id}/revocations'],
  ['GET', '/issuers/{id}/revocations/{revocation_id}'],
  ['DELETE', '/issuers/{id}/revocations/{revocation_id}'],
  ['POST', '/images', { issuer_id: randomUUID(), public_id: 'x', version: 1 }],
  ['GET', '/images'],
  ['GET', '/images/{id}'],
  ['PATCH', '/images/{id}', {}],
  ['DELETE', '/images/{id}'],
  ['POST', '/overlays', { issuer_id: randomUUID(), public_id: 'x' }],
  ['GET', '/overlays'],
  ['GET', '/overlays/{id}'],
  ['PATCH', '/overlays/{id}', {}],
  ['DELETE', '/overlays/{id}'],
  ['POST', '/admin-keys', { name: 'x', scopes: ['read'] }],
  ['GET', '/admin-keys'],
  ['GET', '/admin-keys/{id}'],
  ['DELETE', '/admin-keys/{id}'],
  ['GET', '/audit'],
];

describe('the admin key', () => {
  const CREDENTIALS: readonly (readonly [
    name: string,
    authorization: () => string | undefined,
    body: object,
  ])[] = [
    ['absent', () => undefined, KEY_REQUIRED],
    ['empty', () => '', KEY_FORM],
    ['an empty Bearer', () => 'Bearer ', KEY_FORM],
    ['a bare Bearer', () => 'Bearer', KEY_FORM],
    ['wrong', () => `Bearer ${'x'.repeat(40)}`, KEY_INVALID],
    ['the key and more characters', () => `Bearer ${ADMIN_KEY}x`, KEY_INVALID],
    ['a part of the key', () => `Bearer ${ADMIN_KEY.slice(0, -1)}`, KEY_INVALID],
    ['two keys', () => `Bearer ${ADMIN_KEY}, ${ADMIN_KEY}`, KEY_FORM],
    ['in upper case', () => `Bearer ${ADMIN_KEY.toUpperCase()}`, KEY_INVALID],
    ['another scheme', () => `Basic ${Buffer.from(`admin:${ADMIN_KEY}`).toString('base64')}`, KEY_FORM],
    ['without a scheme', () => ADMIN_KEY, KEY_FORM],
    ['an issuer’s token', () => `Bearer ${tenant.sign({ admin: true })}`, KEY_INVALID],
    ['an issuer’s secret', () => `Bearer ${tenant.secret}`, KEY_INVALID],
    ['endless', () => `Bearer ${'x'.repeat(5000)}`, KEY_INVALID],
  ];

  it.each<Route>(ROUTES)('is required for %s %s', async (method, path, body) => {
    const filled = fill(path, tenant);
    const responses = await Promise.all(
      CREDENTIALS.map(([, authorization], index) => {
        const given = authorization();
        const headers: Record<string, string> = given === undefined ? {} : { authorization: given };
        // Failures are counted by address.
        const from = `127.0.1.${index + 1}`;
        return request({ port: service.port, path: `/admin${filled}`, method, body, headers, from });
      }),
    );
    for (const [index, response] of responses.entries()) {
      await expectResponse(response, 401, CREDENTIALS[index]?.[2]);
      expect(response.headers['www-authenticate']).toBe('Bearer realm="admin"');
    }
    // The response does not reveal why a key is invalid.
    const invalid = responses.filter((_, index) => CREDENTIALS[index]?.[2] === KEY_INVALID);
    expect(new Set(invalid.map((response) => JSON.stringify(comparable(response)))).size).toBe(1);
  });

  it('is not accepted from the query or a cookie', async () => {
    const response = await request({
      port: service.port,
      path: `/admin/issuers?access_token=${ADMIN_KEY}`,
      headers: { cookie: `token=${ADMIN_KEY}` },
    });
    await expectResponse(response, 401, KEY_REQUIRED);
  });

  it('may be any of several, with the scheme in any case', async () => {
    const keys = ['first'.padEnd(40, '1'), 'second'.padEnd(40, '2')];
    const other = await startService({ ADMIN_API_KEYS: keys.join(',') });
    try {
      for (const authorization of [`Bearer ${keys[0]}`, `bearer ${keys[1]}`]) {
        await expectResponse(other.admin('GET', '/issuers', undefined, { authorization }), 200, {
          items: [],
          next_cursor: null,
        });
      }
      await expectResponse(other.admin('GET', '/issuers'), 401, KEY_INVALID);
    } finally {
      await other.close();
    }
  });

  it('is checked before the body', async () => {
    const response = await request({
      port: service.port,
      path: '/admin/issuers',
      method: 'POST',
      body: { name: 5 },
    });
    await expectResponse(response, 401, KEY_REQUIRED);
  });
});

function fill(path: string, owner: Tenant): string {
  const id = path.startsWith('/issuers')
    ? owner.issuerId
    : path.startsWith('/images')
      ? owner.imageId
      : owner.overlayId;
  return path.replace('{id}', id).replace('{key_id}', owner.keyId);
}

describe('issuers', () => {
  it('are created with a key, whose secret is shown once', async () => {
    const created = await service.admin('POST', '/issuers', { name: 'Acme' });
    const body = await expectResponse(created, 201, {
      id: uuid,
      name: 'Acme',
      delivery_format: 'jpg',
      account_id: null,
      disabled: false,
      not_before: null,
      iss_aliases: [],
      aud: null,
      jwks_url: null,
      policy: {},
      created_at: instant,
      updated_at: instant,
      key: {
        id: uuid,
        algorithm: 'HS256',
        public_key: null,
        not_before: null,
        not_after: null,
        uses: 0,
        last_used_at: null,
        created_at: instant,
        secret: expect.stringMatching(/^[\w-]{43}$/) as string,
        dsn: expect.any(String) as string,
      },
    });
    const { key, ...issuer } = body as Body & { id: string; key: Body & { secret: string; dsn: string } };
    const { secret, dsn, ...keyWithoutSecret } = key;
    expect(dsn).toBe(`http://${issuer.id}:${secret}@127.0.0.1:${service.port}/?kid=${String(key['id'])}`);
    await expectResponse(service.admin('GET', `/issuers/${issuer.id}`), 200, {
      ...issuer,
      keys: [keyWithoutSecret],
    });
  });

  it('accept an id and settings from the caller', async () => {
    const id = randomUUID();
    const body = { id: id.toUpperCase(), name: '写真 Ünï', delivery_format: 'webp', disabled: true };
    const created = await service.admin('POST', '/issuers', body);
    expect(created.json()).toMatchObject({ ...body, id });
    await expectResponse(service.admin('POST', '/issuers', { id, name: 'Another' }), 409, ID_TAKEN);
  });

  it('are changed by PATCH, only in the members that it names', async () => {
    const { id } = await post<{ id: string }>(service, '/issuers', { name: 'Before' });
    const { keys, ...before } = (await service.admin('GET', `/issuers/${id}`)).json() as Body;
    await expectResponse(service.admin('PATCH', `/issuers/${id}`, {}), 200, {
      ...before,
      updated_at: instant,
    });
    const after = { ...before, name: 'After', disabled: true, delivery_format: 'png', updated_at: instant };
    await expectResponse(
      service.admin('PATCH', `/issuers/${id}`, { name: 'After', disabled: true, delivery_format: 'png' }),
      200,
      after,
    );
    await expectResponse(service.admin('GET', `/issuers/${id.toUpperCase()}`), 200, { ...after, keys });
  });

  it('are deleted only if they are empty; deleted images do not matter', async () => {
    const owner = await createTenant(service, { publicId: freshName(), overlayPublicId: freshName() });
    const NOT_EMPTY = problem(
      409,
      'issuer_not_empty',
      'The issuer still has images or overlays. Delete them first, or disable the issuer instead.',
    );
    const path = `/issuers/${owner.issuerId}`;
    await expectResponse(service.admin('DELETE', path), 409, NOT_EMPTY);
    await expectResponse(service.admin('DELETE', `/images/${owner.imageId}`), 204, null);
    await expectResponse(service.admin('DELETE', path), 409, NOT_EMPTY);
    await expectResponse(service.admin('DELETE', `/overlays/${owner.overlayId}`), 204, null);
    await expectResponse(service.admin('DELETE', path), 204, null);
    await expectResponse(service.admin('GET', path), 404, NO_ISSUER);
    await expectResponse(service.admin('DELETE', path), 404, NO_ISSUER);
    await expectResponse(service.admin('GET', `/images/${owner.imageId}`), 404, NO_IMAGE);
    expect((await service.image(owner.path())).status).toBe(401);
  });

  const TEXT = 'must be text of 1 to 200 characters without control characters';
  const FORMATS =
    'must be one of jpg, jpeg, png, webp, avif, gif, jxl, jp2, heic, tiff, bmp, ico, svg, pdf, original';
  type Fault = [key: string, detail: string];
  const FAULTS: readonly [body: unknown, ...errors: Fault[]][] = [
    [{ name: '' }, ['name', TEXT]],
    [{ name: '   ' }, ['name', TEXT]],
    [{ name: null }, ['name', TEXT]],
    [{ name: 5 }, ['name', TEXT]],
    [{ name: ['x'] }, ['name', TEXT]],
    [{ name: { x: 1 } }, ['name', TEXT]],
    [{ name: 'a\u0000b' }, ['name', TEXT]],
    [{ name: 'a\nb' }, ['name', TEXT]],
    [{ name: '\ud800' }, ['name', TEXT]],
    [{ name: 'x'.repeat(201) }, ['name', TEXT]],
    [{ name: 'x', disabled: null }, ['disabled', 'must be true or false']],
    [{ name: 'x', disabled: 'false' }, ['disabled', 'must be true or false']],
    [{ name: 'x', disabled: 0 }, ['disabled', 'must be true or false']],
    [{ name: 'x', delivery_format: null }, ['delivery_format', FORMATS]],
    [{ name: 'x', delivery_format: 'exe' }, ['delivery_format', FORMATS]],
    [{ name: 'x', delivery_format: 'jpg/x' }, ['delivery_format', FORMATS]],
    [{ name: 'x', delivery_format: ['jpg'] }, ['delivery_format', FORMATS]],
    [{ name: 'x', secret: 'y' }, ['secret', 'is unknown']],
    [{ name: 'x', deliveryFormat: 'png' }, ['deliveryFormat', 'is unknown; did you mean `delivery_format`?']],
    [
      { name: 5, disabled: 5, other: 1 },
      ['other', 'is unknown'],
      ['name', TEXT],
      ['disabled', 'must be true or false'],
    ],
    [[], ['body', 'must be an object']],
    [null, ['body', 'must be an object']],
  ];

  it.each(FAULTS.map(([body, ...errors]): [unknown, Fault[]] => [body, errors]))(
    'refuse %j on create and update',
    async (body, errors) => {
      const text = JSON.stringify(body);
      await expectResponse(service.admin('POST', '/issuers', text), 422, invalid(...errors));
      await expectResponse(
        service.admin('PATCH', `/issuers/${tenant.issuerId}`, text),
        422,
        invalid(...errors),
      );
    },
  );

  it.each([null, '', 'x', 5, [randomUUID()], randomUUID().replaceAll('-', ''), `{${randomUUID()}}`])(
    'refuse the id %j',
    async (id) => {
      const response = service.admin('POST', '/issuers', { id, name: 'x' });
      await expectResponse(response, 422, invalid(['id', 'must be a UUID']));
    },
  );

  it('are listed by name', async () => {
    const name = `Twice ${randomUUID()}`;
    const ids = await Promise.all(
      [0, 1].map(async () => (await post<{ id: string }>(service, '/issuers', { name })).id),
    );
    const list = (await service.admin('GET', `/issuers?name=${encodeURIComponent(name)}`)).json() as {
      items: { id: string }[];
    };
    expect(list.items.map(({ id }) => id)).toStrictEqual(ids.toSorted());
  });
});

describe('keys', () => {
  it('are added with a generated secret or the caller’s, shown once', async () => {
    const secret = 'a-secret-of-the-callers-own.32+chars!~"';
    const issuer = `/issuers/${neighbour.issuerId}`;
    const body = {
      secret,
      algorithm: 'HS384',
      not_before: '2020-01-01T00:00:00Z',
      not_after: '2199-12-31T23:00:00-01:00',
    };
    const created = await service.admin('POST', `${issuer}/keys`, body);
    const key = await expectResponse(created, 201, {
      id: uuid,
      algorithm: 'HS384',
      public_key: null,
      not_before: '2020-01-01T00:00:00.000Z',
      not_after: '2200-01-01T00:00:00.000Z',
      uses: 0,
      last_used_at: null,
      created_at: instant,
      secret,
      dsn: expect.any(String) as string,
    });
    const dsn = new URL(String(key['dsn']));
    expect(decodeURIComponent(dsn.password)).toBe(secret);
    expect(dsn.username).toBe(neighbour.issuerId);
    expect(dsn.searchParams.get('kid')).toBe(key['id']);
    const bare = await service.admin('POST', `${issuer}/keys`);
    expect(bare.json()).toMatchObject({
      algorithm: 'HS256',
      not_after: null,
      secret: expect.stringMatching(/^[\w-]{43}$/) as string,
    });
    const { keys } = (await service.admin('GET', issuer)).json() as { keys: Body[] };
    expect(keys).toHaveLength(3);
    for (const each of keys) {
      expect(Object.keys(each).sort()).toStrictEqual([
        'algorithm',
        'created_at',
        'id',
        'last_used_at',
        'not_after',
        'not_before',
        'public_key',
        'uses',
      ]);
    }
  });

  it('never show a secret again, on any route', async () => {
    const owner = await createTenant(service, { publicId: freshName(), overlayPublicId: freshName() });
    const responses = await Promise.all([
      service.admin('GET', `/issuers/${owner.issuerId}`),
      service.admin('GET', '/issuers?limit=100'),
      service.admin('PATCH', `/issuers/${owner.issuerId}`, { name: 'Other' }),
      service.admin('PATCH', `/issuers/${owner.issuerId}/keys/${owner.keyId}`, { not_after: null }),
      service.admin('POST', `/issuers/${owner.issuerId}/keys`),
      service.image(owner.path()),
      service.image(`/images/${owner.imageId}/explain?token=${owner.sign()}`),
      service.image(`/images/${owner.imageId}?token=${owner.sign()}x`),
    ]);
    for (const { text } of responses) expect(text).not.toContain(owner.secret);
  });

  it('are at most eight', async () => {
    const { id } = await post<{ id: string }>(service, '/issuers', { name: 'Many keys' });
    const added = await Promise.all(
      Array.from({ length: 12 }, () => service.admin('POST', `/issuers/${id}/keys`)),
    );
    expect(added.filter(({ status }) => status === 201)).toHaveLength(7);
    for (const response of added.filter(({ status }) => status !== 201)) {
      await expectResponse(
        response,
        409,
        problem(409, 'too_many_keys', 'An issuer has at most 8 keys. Revoke a key that is no longer used.'),
      );
    }
  });

  it('are changed and revoked', async () => {
    const { id, key } = await post<{ id: string; key: { id: string } }>(service, '/issuers', { name: 'x' });
    const path = `/issuers/${id}/keys/${key.id}`;
    const changed = { not_before: '2021-01-01T00:00:00Z', not_after: '2031-01-01T00:00:00Z' };
    await expectResponse(service.admin('PATCH', path, changed), 200, {
      id: key.id,
      algorithm: 'HS256',
      public_key: null,
      not_before: '2021-01-01T00:00:00.000Z',
      not_after: '2031-01-01T00:00:00.000Z',
      uses: 0,
      last_used_at: null,
      created_at: instant,
    });
    await expectResponse(
      service.admin('PATCH', path, { not_after: '2020-01-01T00:00:00Z' }),
      422,
      invalid(['not_after', 'must be later than not_before']),
    );
    await expectResponse(service.admin('DELETE', path), 204, null);
    for (const method of ['DELETE', 'PATCH']) {
      await expectResponse(service.admin(method, path, method === 'PATCH' ? {} : undefined), 404, NO_KEY);
    }
  });

  const SECRET = 'must be 32 to 512 printable ASCII characters without spaces';
  const TIME = 'must be a date and time with its offset, such as 2030-01-31T12:00:00Z, or null';
  it.each<[body: object, key: string, detail: string]>([
    [{ secret: 'x'.repeat(31) }, 'secret', SECRET],
    [{ secret: 'x'.repeat(513) }, 'secret', SECRET],
    [{ secret: '' }, 'secret', SECRET],
    [{ secret: null }, 'secret', SECRET],
    [{ secret: 12345 }, 'secret', SECRET],
    [{ secret: `${'x'.repeat(32)} ` }, 'secret', SECRET],
    [{ secret: `${'x'.repeat(32)}\n` }, 'secret', SECRET],
    [{ secret: `${'x'.repeat(32)}\u0000` }, 'secret', SECRET],
    [{ secret: 'é'.repeat(32) }, 'secret', SECRET],
    [{ secret: ['x'.repeat(32)] }, 'secret', SECRET],
    [{ algorithm: 'none' }, 'algorithm', 'must be one of HS256, HS384, HS512, EdDSA, ES256, RS256, PS256'],
    [{ algorithm: 'RS512' }, 'algorithm', 'must be one of HS256, HS384, HS512, EdDSA, ES256, RS256, PS256'],
    [{ algorithm: null }, 'algorithm', 'must be one of HS256, HS384, HS512, EdDSA, ES256, RS256, PS256'],
    [{ not_after: 'tomorrow' }, 'not_after', TIME],
    [{ not_after: '2030-01-31' }, 'not_after', TIME],
    [{ not_after: '2030-01-31T12:00:00' }, 'not_after', TIME],
    [{ not_after: '2030-13-31T12:00:00Z' }, 'not_after', TIME],
    [{ not_after: 1_900_000_000 }, 'not_after', TIME],
    [{ not_before: '' }, 'not_before', TIME],
    [
      { not_before: '2030-01-01T00:00:00Z', not_after: '2030-01-01T00:00:00Z' },
      'not_after',
      'must be later than not_before',
    ],
    [{ id: randomUUID() }, 'id', 'is unknown'],
  ])('refuse %j', async (body, key, detail) => {
    await expectResponse(
      service.admin('POST', `/issuers/${tenant.issuerId}/keys`, body),
      422,
      invalid([key, detail]),
    );
  });

  it.each(['secret', 'algorithm'])('keep their %s', async (member) => {
    const path = `/issuers/${tenant.issuerId}/keys/${tenant.keyId}`;
    await expectResponse(
      service.admin('PATCH', path, { [member]: 'HS512'.padEnd(32, 'x') }),
      422,
      invalid([member, 'is unknown']),
    );
  });
});

/** Images and overlays are the same except for the members that only an image has. */
const KINDS = [
  {
    kind: 'images',
    missing: NO_IMAGE,
    needed: { version: 1 } as object,
    defaults: {
      version: 1,
      format: null,
      delivery_type: 'authenticated',
      access: 'token',
      not_before: null,
      rejected_at: null,
    } as object,
    changed: {
      version: 9,
      format: 'tif',
      delivery_type: 'private',
      access: 'public',
    } as object,
  },
  {
    kind: 'overlays',
    missing: NO_OVERLAY,
    needed: {} as object,
    defaults: { delivery_type: 'private', shared: false, rejected_at: null } as object,
    changed: { delivery_type: 'upload', shared: true } as object,
  },
];

describe.each(KINDS)('$kind', ({ kind, missing, needed, defaults, changed }) => {
  const path = `/${kind}`;
  const create = (body: object): Promise<HttpResponse> =>
    service.admin('POST', path, { issuer_id: tenant.issuerId, ...needed, ...body });

  it('are created with defaults, read, changed and deleted', async () => {
    const public_id = `folder/${freshName()} 写真`;
    const created = await create({ public_id });
    const row = await expectResponse(created, 201, {
      id: uuid,
      issuer_id: tenant.issuerId,
      public_id,
      ...defaults,
      created_at: instant,
      updated_at: instant,
    });
    const one = `${path}/${String(row['id'])}`;
    await expectResponse(service.admin('GET', one), 200, row);
    await expectResponse(service.admin('GET', one.toUpperCase().replace(path.toUpperCase(), path)), 200, row);
    await expectResponse(service.admin('PATCH', one, {}), 200, { ...row, updated_at: instant });
    const renamed = freshName();
    const after = { ...row, ...changed, public_id: renamed, updated_at: instant };
    await expectResponse(service.admin('PATCH', one, { ...changed, public_id: renamed }), 200, after);
    const read = await expectResponse(service.admin('GET', one), 200, after);
    expect(new Date(String(read['updated_at'])).getTime()).toBeGreaterThan(
      new Date(String(row['updated_at'])).getTime(),
    );
    await expectResponse(service.admin('DELETE', one), 204, null);
    const [status, deleted] = kind === 'images' ? [410, IMAGE_DELETED] : [404, missing];
    await expectResponse(service.admin('GET', one), status, deleted);
    await expectResponse(service.admin('PATCH', one, {}), status, deleted);
    await expectResponse(service.admin('DELETE', one), status, deleted);
    // A deleted row is on no list, and its issuer can register its public id again.
    await expectResponse(service.admin('GET', `${path}?public_id=${renamed}`), 200, {
      items: [],
      next_cursor: null,
    });
    expect((await create({ public_id: renamed, ...changed })).status).toBe(201);
  });

  it('accept an id from the caller, which is then taken', async () => {
    const id = randomUUID();
    const created = await create({ id: id.toUpperCase(), public_id: freshName() });
    expect(created.json()).toMatchObject({ id });
    await expectResponse(create({ id, public_id: freshName() }), 409, ID_TAKEN);
  });

  const takenByRow = (id: string): object => takenBy(path.slice(1, -1), id, tenant.issuerId);

  it('reserve their public id within the issuer: one row for each delivery type', async () => {
    const public_id = freshName();
    const first = await create({ public_id, delivery_type: 'private' });
    expect(first.status).toBe(201);
    const taken = takenByRow((first.json() as { id: string }).id);
    await expectResponse(create({ public_id, delivery_type: 'private' }), 409, taken);
    const other = await create({ public_id, delivery_type: 'upload' });
    expect(other.status).toBe(201);
    const { id } = other.json() as { id: string };
    await expectResponse(service.admin('PATCH', `${path}/${id}`, { delivery_type: 'private' }), 409, taken);
  });

  it.each(['images', 'overlays'])(
    'reserve their public id against other issuers’ %s of any type',
    async (other) => {
      const public_id = freshName();
      const created = await create({ public_id, delivery_type: 'private' });
      expect(created.status).toBe(201);
      const taken = takenByRow((created.json() as { id: string }).id);
      for (const delivery_type of ['private', 'upload', 'authenticated']) {
        const foreign = { issuer_id: neighbour.issuerId, public_id, delivery_type };
        const body = other === 'images' ? { ...foreign, version: 1 } : foreign;
        await expectResponse(service.admin('POST', `/${other}`, body), 409, taken);
      }
      const theirs = other === 'images' ? neighbour.imageId : neighbour.overlayId;
      await expectResponse(service.admin('PATCH', `/${other}/${theirs}`, { public_id }), 409, taken);
    },
  );

  it('of one issuer are created once by concurrent requests', async () => {
    const public_id = freshName();
    const responses = await Promise.all(Array.from({ length: 8 }, () => create({ public_id })));
    expect(responses.map(({ status }) => status).toSorted()).toStrictEqual([
      201,
      ...Array<number>(7).fill(409),
    ]);
  });

  it('requested by two issuers at once belong to one of them', async () => {
    for (let round = 0; round < 5; round++) {
      const public_id = freshName();
      const types = ['private', 'upload', 'authenticated'];
      const responses = await Promise.all(
        [tenant, neighbour].flatMap(({ issuerId }) =>
          types.map((delivery_type) => create({ issuer_id: issuerId, public_id, delivery_type })),
        ),
      );
      const owners = responses.flatMap((response) =>
        response.status === 201 ? [(response.json() as { issuer_id: string }).issuer_id] : [],
      );
      expect(new Set(owners).size).toBe(1);
      expect(owners).toHaveLength(3);
      expect(responses.filter(({ status }) => status === 409)).toHaveLength(3);
    }
  });

  it('need an existing issuer', async () => {
    await expectResponse(create({ issuer_id: randomUUID(), public_id: freshName() }), 404, NO_ISSUER);
  });

  const HOSTILE = [
    '',
    ' ',
    ' x',
    'x ',
    '..',
    '.',
    'a/../b',
    'a//b',
    '/a',
    'a/',
    'image/upload/v9/x',
    'v12/a',
    'v2/shoes',
    't_shirts/red',
    'private:logo',
    'w_1/a',
    'l_private:secret/a',
    'c_fit,w_1/a',
    's--AAAAAAAA--/a',
    '$x_1/a',
    'if_w_gt_1/a',
    '100%',
    '%2e%2e',
    'a%2Fb',
    'a?b',
    'a#b',
    'a&b',
    'a\\b',
    '<script>',
    'a+b',
    'http://evil.example/x.jpg',
    'https://evil.example/x',
    'data:image/png;base64,AA',
    'javascript:x',
    'a\r\nX-Evil: 1',
    'a\u0000b',
    'a\u202eb',
    'a\u200bb',
    '\ud800',
    'x'.repeat(256),
    null,
    5,
    true,
    ['x'],
    { x: 1 },
  ];

  it.each(HOSTILE)('refuse the public id %j on create, update and list', async (public_id) => {
    for (const response of [
      await create({ public_id }),
      await service.admin('PATCH', fill(`${path}/{id}`, tenant), { public_id }),
      ...(typeof public_id === 'string' && public_id.isWellFormed()
        ? [await service.admin('GET', `${path}?public_id=${encodeURIComponent(public_id)}`)]
        : []),
    ]) {
      expect(response.status).toBe(422);
      const { errors, ...rest } = response.json() as { errors: { key: string; detail: string }[] };
      expect(rest).toMatchObject({ code: 'invalid_request' });
      expect(errors).toStrictEqual([{ key: 'public_id', detail: expect.stringMatching(/^must /) as string }]);
    }
  });

  it.each([
    'Beyonc\u0327e\u0301_kofryc',
    'h_and_m/1',
    'e_commerce/1',
    'b_roll/1',
    'a_team/1',
    'a/v12',
    'Smith, John/1',
    ...(kind === 'images' ? ['Interview: John'] : []),
  ])('keep the public id %j unchanged', async (public_id) => {
    const { items: before } = await list(public_id);
    expect(before).toStrictEqual([]);
    const row = await expectResponse(create({ public_id }), 201, {
      id: uuid,
      issuer_id: tenant.issuerId,
      public_id,
      ...defaults,
      created_at: instant,
      updated_at: instant,
    });
    expect((await list(public_id)).items).toStrictEqual([row]);
    // Its bytes identify it.
    expect((await list(public_id.normalize('NFC'))).items).toStrictEqual(
      public_id === public_id.normalize('NFC') ? [row] : [],
    );
  });

  const list = async (publicId: string): Promise<{ items: unknown[] }> =>
    (await service.admin('GET', `${path}?public_id=${encodeURIComponent(publicId)}`)).json() as {
      items: unknown[];
    };

  const TYPES = 'must be one of upload, private, authenticated';
  it.each<[member: string, value: unknown, detail: string]>([
    ['delivery_type', null, TYPES],
    ['delivery_type', 'fetch', TYPES],
    ['delivery_type', 'UPLOAD', TYPES],
    ['delivery_type', ['upload'], TYPES],
    ['deleted_at', null, 'is unknown'],
    ['created_at', '2020-01-01T00:00:00Z', 'is unknown'],
  ])('refuse %s %j on create and update', async (member, value, detail) => {
    const body = invalid([member, detail]);
    await expectResponse(create({ public_id: freshName(), [member]: value }), 422, body);
    await expectResponse(
      service.admin('PATCH', fill(`${path}/{id}`, tenant), { [member]: value }),
      422,
      body,
    );
  });

  it.each(['id', 'issuer_id'])('keep their %s', async (member) => {
    await expectResponse(
      service.admin('PATCH', fill(`${path}/{id}`, tenant), { [member]: neighbour.issuerId }),
      422,
      invalid([member, 'is unknown']),
    );
  });

  it.each([null, '', 'x', 5, [randomUUID()], { id: 1 }])(
    'refuse %j as id and as issuer_id',
    async (value) => {
      const body = { public_id: freshName() };
      await expectResponse(create({ ...body, id: value }), 422, invalid(['id', 'must be a UUID']));
      await expectResponse(
        create({ ...body, issuer_id: value }),
        422,
        invalid(['issuer_id', 'must be a UUID']),
      );
    },
  );

  it('report all errors at once', async () => {
    const response = await service.admin('POST', path, { evil: 1 });
    expect(response.status).toBe(422);
    const { errors } = response.json() as { errors: { key: string }[] };
    expect(errors.map(({ key }) => key).toSorted()).toStrictEqual(
      ['evil', 'issuer_id', 'public_id', ...(kind === 'images' ? ['version'] : [])].toSorted(),
    );
  });

  it('are listed in pages of a stable order, whatever is added meanwhile', async () => {
    const owner = await post<{ id: string }>(service, '/issuers', { name: 'Of many' });
    const add = async (id?: string): Promise<string> => {
      const created = await create({ id, issuer_id: owner.id, public_id: freshName() });
      return (created.json() as { id: string }).id;
    };
    const ids = await Promise.all(Array.from({ length: 12 }, () => add()));
    const list = async (query: string): Promise<{ ids: string[]; next: string | null }> => {
      const response = await service.admin('GET', `${path}?issuer_id=${owner.id}${query}`);
      expect(response.status).toBe(200);
      const { items, next_cursor } = response.json() as {
        items: { id: string }[];
        next_cursor: string | null;
      };
      return { ids: items.map(({ id }) => id), next: next_cursor };
    };
    expect(await list('')).toStrictEqual({ ids: ids.toSorted(), next: null });
    expect(await list('&limit=12')).toStrictEqual({ ids: ids.toSorted(), next: null });

    const seen: string[] = [];
    let next: string | null = '';
    let pages = 0;
    while (next !== null) {
      const page = await list(`&limit=5${next === '' ? '' : `&cursor=${next}`}`);
      expect(page.ids.length).toBeLessThanOrEqual(5);
      seen.push(...page.ids);
      next = page.next;
      pages += 1;
      // One row that sorts before every page and one that sorts after: the first is missed, no row is repeated.
      if (pages === 1) {
        await add(`00000000-0000-4000-8000-${randomUUID().slice(-12)}`);
        ids.push(await add(`ffffffff-ffff-4fff-bfff-${randomUUID().slice(-12)}`));
      }
    }
    expect(pages).toBe(3);
    expect(seen).toStrictEqual(ids.toSorted());
  });

  it('are listed by issuer and public id', async () => {
    const public_id = freshName();
    await create({ public_id, delivery_type: 'private' });
    await create({ public_id, delivery_type: 'upload' });
    const count = async (query: string): Promise<number> =>
      ((await service.admin('GET', `${path}?${query}`)).json() as { items: unknown[] }).items.length;
    expect(await count(`public_id=${public_id}`)).toBe(2);
    expect(await count(`public_id=${public_id}&issuer_id=${tenant.issuerId}`)).toBe(2);
    expect(await count(`public_id=${public_id}&issuer_id=${neighbour.issuerId}`)).toBe(0);
    expect(await count(`issuer_id=${randomUUID()}`)).toBe(0);
  });
});

describe('images only', () => {
  const VERSION = 'must be a whole number from 1 to 999999999999999';
  const FORMAT = 'must be 1 to 10 lower-case letters and digits';
  const ACCESS = 'must be one of token, public';

  it.each<[member: string, value: unknown, detail: string]>([
    ['version', null, VERSION],
    ['version', 0, VERSION],
    ['version', -1, VERSION],
    ['version', 1.5, VERSION],
    ['version', 1e300, VERSION],
    ['version', 1_000_000_000_000_000, VERSION],
    ['version', '123', VERSION],
    ['version', [1], VERSION],
    ['version', true, VERSION],
    ['format', null, FORMAT],
    ['format', '', FORMAT],
    ['format', 'JPG', FORMAT],
    ['format', 'jpg/x', FORMAT],
    ['format', 'a'.repeat(11), FORMAT],
    ['format', 5, FORMAT],
    ['access', null, ACCESS],
    ['access', 'everyone', ACCESS],
    ['access', 1, ACCESS],
  ])('refuse %s %j on create and update', async (member, value, detail) => {
    const body = invalid([member, detail]);
    const row = { issuer_id: tenant.issuerId, public_id: freshName(), version: 1, [member]: value };
    await expectResponse(service.admin('POST', '/images', row), 422, body);
    await expectResponse(service.admin('PATCH', `/images/${tenant.imageId}`, { [member]: value }), 422, body);
  });

  it.each([1, 1_764_000_000, 999_999_999_999_999])('keep the version %i exactly', async (version) => {
    const image = await post<{ id: string; version: number }>(service, '/images', {
      issuer_id: tenant.issuerId,
      public_id: freshName(),
      version,
    });
    expect(image.version).toBe(version);
    const { shown } = await service.image(`/images/${image.id}?token=${tenant.sign()}`);
    expect(shown?.version).toBe(String(version));
  });

  it.each(['Beyonc\u0327e\u0301', 'h_and_m/logo', 'Interview: Jane', 'b/v12'])(
    'redirect to the public id %j byte by byte',
    async (publicId) => {
      const owner = await createTenant(service, { publicId, overlayPublicId: freshName() });
      const { shown } = await service.image(owner.path());
      expect(shown?.publicId).toBe(
        encodeURIComponent(publicId).replaceAll('%2F', '/').replaceAll('%3A', ':'),
      );
    },
  );

  it('require a version', async () => {
    const row = { issuer_id: tenant.issuerId, public_id: freshName() };
    await expectResponse(service.admin('POST', '/images', row), 422, invalid(['version', VERSION]));
  });

  it('change the next redirect', async () => {
    const owner = await createTenant(service, { publicId: freshName(), overlayPublicId: freshName() });
    expect((await service.image(owner.path())).shown).toMatchObject({ version: '123123' });
    const public_id = freshName();
    await service.admin('PATCH', `/images/${owner.imageId}`, {
      version: 77,
      public_id,
      delivery_type: 'private',
    });
    expect((await service.image(owner.path())).shown).toMatchObject({
      version: '77',
      publicId: public_id,
      deliveryType: 'private',
    });
  });
});

describe('overlays only', () => {
  it.each(['a:b', 'text:x', 'fetch/x', 'video/x', 'private/x', 'upload/x'])(
    'refuse a public id that a layer cannot contain: %s',
    async (public_id) => {
      const response = await service.admin('POST', '/overlays', { issuer_id: tenant.issuerId, public_id });
      expect(response.status).toBe(422);
      expect(response.json()).toMatchObject({ errors: [{ key: 'public_id' }] });
    },
  );

  it('change the next redirect', async () => {
    const owner = await createTenant(service, { publicId: freshName(), overlayPublicId: 'before' });
    const path = owner.steps({ overlay: owner.overlayId });
    expect((await service.image(path)).shown?.components.at(-1)).toBe('l_private:before');
    await service.admin('PATCH', `/overlays/${owner.overlayId}`, {
      public_id: 'after/all',
      delivery_type: 'authenticated',
    });
    expect((await service.image(path)).shown?.components.at(-1)).toBe('l_authenticated:after:all');
  });
});

describe('concurrent changes', () => {
  const ROUNDS = 20;
  /** In each round, two changes of one row to different members. */
  const PAIRS: readonly (readonly [
    what: string,
    pathOf: (owner: Tenant) => string,
    pairOf: (round: number) => readonly [Body, Body],
  ])[] = [
    [
      'an issuer',
      ({ issuerId }) => `/issuers/${issuerId}`,
      (round) => [{ disabled: round % 2 === 0 }, { name: `Name ${round}` }],
    ],
    [
      'an issuer and its policy',
      ({ issuerId }) => `/issuers/${issuerId}`,
      (round) => [{ not_before: instantOf(round) }, { policy: { max_steps: round + 1 } }],
    ],
    [
      'a key',
      ({ issuerId, keyId }) => `/issuers/${issuerId}/keys/${keyId}`,
      (round) => [{ not_before: instantOf(round) }, { not_after: instantOf(100 + round) }],
    ],
    [
      'an image',
      ({ imageId }) => `/images/${imageId}`,
      (round) => [{ access: round % 2 === 0 ? 'public' : 'token' }, { version: round + 1 }],
    ],
    [
      'an overlay',
      ({ overlayId }) => `/overlays/${overlayId}`,
      (round) => [
        { delivery_type: round % 2 === 0 ? 'upload' : 'authenticated' },
        { public_id: `${freshName()}_layer` },
      ],
    ],
  ];
  const instantOf = (round: number): string => new Date(Date.UTC(2001, 0, round + 1)).toISOString();

  it.each(PAIRS)('to different members of %s never overwrite each other', async (_, pathOf, pairOf) => {
    const owner = await createTenant(service, { publicId: freshName(), overlayPublicId: freshName() });
    const path = pathOf(owner);
    for (let round = 0; round < ROUNDS; round++) {
      const pair = pairOf(round);
      const responses = await Promise.all(pair.map((change) => service.admin('PATCH', path, change)));
      for (const [index, response] of responses.entries()) {
        expect([response.status, response.json()]).toMatchObject([200, pair[index] ?? {}]);
      }
      const { keys, ...row } = (await service.admin('GET', path.replace(/\/keys\/.*/, ''))).json() as Body & {
        keys?: readonly Body[];
      };
      const shown = path.includes('/keys/') ? keys?.find(({ id }) => id === owner.keyId) : row;
      expect(shown).toMatchObject({ ...pair[0], ...pair[1] });
    }
  });

  it('to the two times of a key keep them in order: the second is refused', async () => {
    const { issuerId, keyId } = await createTenant(service, {
      publicId: freshName(),
      overlayPublicId: freshName(),
    });
    const path = `/issuers/${issuerId}/keys/${keyId}`;
    for (let round = 0; round < ROUNDS; round++) {
      const clear = await service.admin('PATCH', path, { not_before: null, not_after: null });
      expect(clear.status).toBe(200);
      const responses = await Promise.all([
        service.admin('PATCH', path, { not_before: instantOf(2) }),
        service.admin('PATCH', path, { not_after: instantOf(1) }),
      ]);
      expect(responses.map(({ status }) => status).sort()).toStrictEqual([200, 422]);
    }
  });

  it('to an issuer that is being deleted: its new key is 201 or 404', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { id } = await post<{ id: string }>(service, '/issuers', { name: 'Going' });
      const [deleted, ...added] = await Promise.all([
        service.admin('DELETE', `/issuers/${id}`),
        ...[1, 2, 3].map(() => service.admin('POST', `/issuers/${id}/keys`, {})),
      ]);
      expect(deleted.status).toBe(204);
      for (const response of added) {
        if (response.status !== 201) await expectResponse(response, 404, NO_ISSUER);
      }
    }
  });
});

describe('unknown rows', () => {
  const NONE: Record<string, object> = {
    issuers: NO_ISSUER,
    images: NO_IMAGE,
    overlays: NO_OVERLAY,
    'admin-keys': NO_ADMIN_KEY,
  };
  const IDS = [randomUUID(), 'x', '%00', '..%2f', '%27%20OR%201=1', 'a'.repeat(500), '0', '*'];

  it.each<Route>(ROUTES.filter(([, path]) => path.includes('{id}')))(
    'return 404 for %s %s',
    async (method, path, body) => {
      const kind = path.split('/')[1] ?? '';
      for (const id of IDS) {
        const filled = path.replace('{id}', id).replace('{key_id}', tenant.keyId);
        await expectResponse(service.admin(method, filled, body), 404, NONE[kind]);
      }
      if (!path.includes('{key_id}')) return;
      for (const id of [...IDS, neighbour.keyId]) {
        const filled = path.replace('{id}', tenant.issuerId).replace('{key_id}', id);
        await expectResponse(service.admin(method, filled, body), 404, NO_KEY);
      }
    },
  );
});

describe('lists', () => {
  const LIMIT = 'must be a whole number from 1 to 100';
  const CURSOR = 'must be the next_cursor of a previous page';
  it.each(
    ['issuers', 'images', 'overlays', 'admin-keys', 'audit'].flatMap((kind) =>
      (
        [
          ['limit=0', 'limit', LIMIT],
          ['limit=101', 'limit', LIMIT],
          ['limit=-1', 'limit', LIMIT],
          ['limit=1.5', 'limit', LIMIT],
          ['limit=1e1', 'limit', LIMIT],
          ['limit=', 'limit', LIMIT],
          ['limit=x', 'limit', LIMIT],
          ['limit=1&limit=2', 'limit', LIMIT],
          ['limit=99999999999999999999', 'limit', LIMIT],
          ['cursor=', 'cursor', CURSOR],
          ['cursor=x', 'cursor', CURSOR],
          ['cursor=%00', 'cursor', CURSOR],
          ['cursor=a&cursor=b', 'cursor', CURSOR],
          [`cursor=${randomUUID()}`, 'cursor', CURSOR],
          [`cursor=${Buffer.from("' OR 1=1").toString('base64url')}`, 'cursor', CURSOR],
          [`cursor=${'a'.repeat(65)}`, 'cursor', CURSOR],
          ['offset=5', 'offset', 'is unknown'],
        ] as const
      ).map(([query, key, detail]) => [kind, query, key, detail] as const),
    ),
  )('of %s refuse %s', async (kind, query, key, detail) => {
    await expectResponse(service.admin('GET', `/${kind}?${query}`), 422, invalid([key, detail]));
  });

  it.each([
    ['issuers', 'name=%00', 'name'],
    ['issuers', 'name=', 'name'],
    ['images', 'issuer_id=x', 'issuer_id'],
    ['images', 'issuer_id=', 'issuer_id'],
    ['overlays', `issuer_id=${randomUUID()}&issuer_id=${randomUUID()}`, 'issuer_id'],
    ['images', 'public_id[]=x', 'public_id[]'],
  ])('of %s refuse the filter %s', async (kind, query, key) => {
    const response = await service.admin('GET', `/${kind}?${query}`);
    expect(response.status).toBe(422);
    expect(response.json()).toMatchObject({ errors: [{ key }] });
  });

  it('are not changed by the names of members that every object has', async () => {
    const [plain, odd] = [
      await service.admin('GET', '/issuers'),
      await service.admin('GET', '/issuers?__proto__=5&constructor=6'),
    ];
    expect(odd.json()).toStrictEqual(plain.json());
    const created = await service.admin('POST', '/issuers', { name: 'x', constructor: { disabled: true } });
    expect(created.json()).toMatchObject({ name: 'x', disabled: false });
  });

  it('have 50 rows a page by default', async () => {
    const { id } = await post<{ id: string }>(service, '/issuers', { name: 'Of fifty-one' });
    await Promise.all(
      Array.from({ length: 51 }, () => post(service, '/overlays', { issuer_id: id, public_id: freshName() })),
    );
    const count = async (query: string): Promise<[number, boolean]> => {
      const { items, next_cursor } = (
        await service.admin('GET', `/overlays?issuer_id=${id}${query}`)
      ).json() as { items: unknown[]; next_cursor: string | null };
      return [items.length, next_cursor === null];
    };
    expect(await count('')).toStrictEqual([50, false]);
    expect(await count('&limit=51')).toStrictEqual([51, true]);
    expect(await count('&limit=1')).toStrictEqual([1, false]);
  });
});

describe('a body', () => {
  it.each<[name: string, body: string, type: string, status: number, code: string]>([
    ['no JSON', '{', 'application/json', 400, 'bad_request'],
    ['empty', '', 'application/json', 400, 'bad_request'],
    ['with __proto__', '{"name":"x","__proto__":{"disabled":true}}', 'application/json', 400, 'bad_request'],
    ['a form', 'name=x', 'application/x-www-form-urlencoded', 415, 'unsupported_media_type'],
    ['text', '{"name":"x"}', 'text/plain', 415, 'unsupported_media_type'],
    ['over 64 KiB', `{"name":"${'x'.repeat(65_536)}"}`, 'application/json', 413, 'body_too_large'],
  ])('is refused: %s', async (_, body, type, status, code) => {
    const response = await service.admin('POST', '/issuers', body, { 'content-type': type });
    expect(response.json()).toMatchObject({ status, code });
    expect(response.status).toBe(status);
  });
});

describe('OpenAPI', () => {
  it('lists every route with its responses', async () => {
    const response = await service.get('/docs/openapi.json');
    expect(response.status).toBe(200);
    const { openapi, paths } = response.json() as { openapi: string; paths: Record<string, object> };
    expect(openapi).toMatch(/^3\./);
    const listed = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const expected = [
      ...ROUTES.map(([method, path]) => `${method} /admin${path}`),
      'GET /images/{image_id}',
      'GET /images/{image_id}/explain',
      'POST /deliveries',
      'GET /health/live',
      'GET /health/ready',
    ];
    expect(listed).toStrictEqual(expect.arrayContaining(expected));
  });

  it('has a page', async () => {
    const response = await service.get('/docs');
    expect(response.status).toBe(200);
    expect(response.headers['content-type']).toMatch(/^text\/html/);
  });

  it.each(['/docs/..', '/docs/../package.json', '/docs/%2e%2e/package.json'])(
    'has no page outside of its folder: %s',
    async (path) => {
      const response = await service.get(path);
      expect([response.status, (response.json() as { code: string }).code]).toStrictEqual([404, 'not_found']);
    },
  );

  it('is absent with DOCS=off', async () => {
    const hidden = await startService({ DOCS: 'off' });
    try {
      for (const path of ['/docs', '/docs/', '/docs/openapi.json', '/docs/openapi.yaml', '/docs-json']) {
        expect((await hidden.get(path)).status).toBe(404);
      }
      expect((await hidden.get('/health/live')).status).toBe(200);
    } finally {
      await hidden.close();
    }
  });
});
