import { createHash, randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAdminKey, listAdminRoutes, type AdminKey } from '../support/admin-keys.js';
import { comparable, type HttpResponse, problem } from '../support/http.js';
import { createTenant, post, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';
import { createTestDatabase } from '../support/test-database.js';

type Body = Record<string, unknown>;

let service: Service;
let tenant: Tenant;
let neighbour: Tenant;
const sql = <T = Body>(text: string, values: unknown[] = []): Promise<T[]> =>
  service.app.get(DataSource).query<T[]>(text, values);

beforeAll(async () => {
  service = await startService();
  tenant = await createTenant(service, { publicId: 'image_of_a', overlayPublicId: 'layer_of_a' });
  neighbour = await createTenant(service, { publicId: 'image_of_b', overlayPublicId: 'layer_of_b' });
});
afterAll(() => service.close());

const forbidden = (detail: string): object => problem(403, 'insufficient_scope', detail);
const BOUND = 'This needs an admin key that is not bound to an issuer.';
const soon = (milliseconds: number): string => new Date(Date.now() + milliseconds).toISOString();

function expectForbidden(response: HttpResponse, detail: string): void {
  expect(response.json()).toStrictEqual(forbidden(detail));
  expect(response.status).toBe(403);
  expect(response.headers['www-authenticate']).toBe('Bearer realm="admin", error="insufficient_scope"');
}

describe('an admin key', () => {
  it('is shown once, and stored as a digest', async () => {
    const created = await service.admin('POST', '/admin-keys', { name: 'Deploy', scopes: ['write', 'read'] });
    expect(created.status).toBe(201);
    const { key, ...view } = created.json() as Body & { key: string; id: string; prefix: string };
    expect(key).toMatch(/^pxs_[a-z2-7]{8}_[\w-]{43}$/);
    expect(view).toStrictEqual({
      id: view.id,
      name: 'Deploy',
      prefix: key.slice(4, 12),
      scopes: ['write', 'read'],
      issuer_id: null,
      expires_at: null,
      created_at: expect.stringMatching(/Z$/) as string,
      last_used_at: null,
    });
    expect((await service.admin('GET', `/admin-keys/${view.id}`)).json()).toStrictEqual(view);
    expect((await service.admin('GET', '/admin-keys?limit=100')).text).not.toContain(key.slice(13));
    const [row] = await sql<{ digest: Buffer }>('SELECT digest FROM admin_keys WHERE id = $1', [view.id]);
    expect(row?.digest.equals(createHash('sha256').update(key).digest())).toBe(true);
    const used = await service.admin('GET', '/issuers', undefined, { authorization: `Bearer ${key}` });
    expect(used.status).toBe(200);
  });

  const SCOPES = 'must be a list of one or more of read, write, each once';
  it.each<[member: string, value: unknown, detail: string]>([
    ['scopes', undefined, SCOPES],
    ['scopes', [], SCOPES],
    ['scopes', 'read', SCOPES],
    ['scopes', ['read', 'read'], SCOPES],
    ['scopes', ['admin'], SCOPES],
    ['scopes', [['read']], SCOPES],
    ['scopes', null, SCOPES],
    ['name', '', 'must be text of 1 to 200 characters without control characters'],
    ['issuer_id', null, 'must be a UUID'],
    ['issuer_id', 'x', 'must be a UUID'],
    ['key', 'x'.repeat(40), 'is unknown'],
    ['digest', 'x', 'is unknown'],
    ['prefix', 'abcdefgh', 'is unknown'],
  ])('is refused with %s %j', async (key, value, detail) => {
    const response = await service.admin('POST', '/admin-keys', {
      name: 'x',
      scopes: ['read'],
      [key]: value,
    });
    expect(response.status).toBe(422);
    expect(response.json()).toMatchObject({ code: 'invalid_request', errors: [{ key, detail }] });
  });

  it('needs an existing issuer, and is deleted with it', async () => {
    const body = { name: 'x', scopes: ['read'], issuer_id: randomUUID() };
    const none = await service.admin('POST', '/admin-keys', body);
    expect(none.json()).toMatchObject({ status: 404, code: 'issuer_not_found' });
    const { id } = await post<{ id: string }>(service, '/issuers', { name: 'Short-lived' });
    const bound = await createAdminKey(service, { issuer_id: id });
    const listed = await service.admin('GET', `/admin-keys?issuer_id=${id}`);
    expect((listed.json() as { items: Body[] }).items.map((item) => item['id'])).toStrictEqual([bound.id]);
    expect((await service.admin('DELETE', `/issuers/${id}`)).status).toBe(204);
    expect((await service.admin('GET', '/issuers', undefined, bound.headers)).status).toBe(401);
    expect((await service.admin('GET', `/admin-keys/${bound.id}`)).status).toBe(404);
  });

  it('gets the same refusal for every fault', async () => {
    const { key, id } = await createAdminKey(service);
    const { key: deleted, id: deletedId } = await createAdminKey(service);
    expect((await service.admin('DELETE', `/admin-keys/${deletedId}`)).status).toBe(204);
    const { key: ended } = await createAdminKey(service, { expires_at: soon(-1_000) });
    const [last = ''] = key.slice(-1);
    const wrong = [
      deleted,
      ended,
      `${key.slice(0, -1)}${last === 'A' ? 'B' : 'A'}`,
      key.slice(0, -1),
      `${key}A`,
      key.toUpperCase(),
      `pxs_aaaaaaaa_${key.slice(13)}`,
      `pxs_${'a'.repeat(8)}_${'A'.repeat(43)}`,
      id,
      key.slice(4, 12),
      createHash('sha256').update(key).digest('hex'),
    ];
    const responses = await Promise.all(
      wrong.map((text) => service.admin('GET', '/issuers', undefined, { authorization: `Bearer ${text}` })),
    );
    for (const response of responses) {
      expect(response.json()).toMatchObject({
        status: 401,
        code: 'admin_key_required',
        detail: 'The admin key is unknown, revoked or expired. Check it, or create another one.',
      });
    }
    expect(new Set(responses.map((response) => JSON.stringify(comparable(response)))).size).toBe(1);
  });

  it('expires at its expiry time', async () => {
    const { headers } = await createAdminKey(service, { expires_at: soon(2_000) });
    expect((await service.admin('GET', '/issuers', undefined, headers)).status).toBe(200);
    await expect
      .poll(async () => (await service.admin('GET', '/issuers', undefined, headers)).status, {
        timeout: 5_000,
        interval: 200,
      })
      .toBe(401);
  });

  it('is refused as soon as it is revoked, and marked in the database', async () => {
    const { id, headers } = await createAdminKey(service);
    const status = async (): Promise<number> =>
      (await service.admin('GET', '/issuers', undefined, headers)).status;
    expect(await status()).toBe(200);
    expect((await service.admin('DELETE', `/admin-keys/${id}`)).status).toBe(204);
    expect(await status()).toBe(401);
    const byHand = await createAdminKey(service);
    expect((await service.admin('GET', '/issuers', undefined, byHand.headers)).status).toBe(200);
    await sql('DELETE FROM admin_keys WHERE id = $1', [byHand.id]);
    await expect
      .poll(async () => (await service.admin('GET', '/issuers', undefined, byHand.headers)).status, {
        timeout: 1_000,
        interval: 20,
      })
      .toBe(401);
  });

  it('causes no query if it does not exist, however often it is tried', async () => {
    await service.admin('GET', '/issuers', undefined, (await createAdminKey(service)).headers);
    const runners: unknown[] = [];
    const dataSource = service.app.get(DataSource);
    const real = dataSource.createQueryRunner.bind(dataSource);
    dataSource.createQueryRunner = (mode) => {
      runners.push(mode);
      return real(mode);
    };
    try {
      // Fewer than the failures allowed for one address.
      await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          service.admin('GET', '/issuers', undefined, {
            authorization: `Bearer pxs_aaaaaa${'abcdefghij'[index % 10] ?? ''}b_${'A'.repeat(43)}`,
          }),
        ),
      );
      // The earlier key's notification may arrive late and reload all keys: once, not at each try.
      expect(runners.length).toBeLessThanOrEqual(1);
      await service.admin('GET', '/issuers');
      expect(runners).not.toStrictEqual([]);
    } finally {
      dataSource.createQueryRunner = real;
    }
  });
});

describe('scopes', () => {
  it.each(['read', 'write'] as const)('%s alone opens its half of the routes', async (scope) => {
    const { headers } = await createAdminKey(service, { scopes: [scope] });
    const routes = await listAdminRoutes(service);
    expect(routes.length).toBeGreaterThan(20);
    for (const { method, path } of routes) {
      const filled = path.replace(/\{\w+\}/g, () => randomUUID());
      const body = ['POST', 'PATCH'].includes(method) ? { nothing: 'that is taken' } : undefined;
      const response = await service.admin(method, filled, body, headers);
      const needed = method === 'GET' ? 'read' : 'write';
      // The image without the policy's watermark.
      if (path.endsWith('/original-preview')) expect(response.status).toBe(403);
      else if (needed === scope) expect([200, 404, 415, 422], `${method} ${path}`).toContain(response.status);
      else expectForbidden(response, `This needs an admin key with the scope ${needed}.`);
    }
  });

  it('cannot be granted by a key that lacks them', async () => {
    const writer = await createAdminKey(service, { scopes: ['write'] });
    const create = (scopes: string[], more: object, headers: AdminKey['headers']): Promise<HttpResponse> =>
      service.admin('POST', '/admin-keys', { name: 'x', scopes, ...more }, headers);
    expectForbidden(
      await create(['read'], {}, writer.headers),
      'This needs an admin key with the scope read.',
    );
    expectForbidden(
      await create(['write', 'read'], {}, writer.headers),
      'This needs an admin key with the scope read.',
    );
    expect((await create(['write'], {}, writer.headers)).status).toBe(201);

    const end = soon(60_000);
    const ending = await createAdminKey(service, { expires_at: end });
    const detail = `This admin key expires at ${end}, so a key that it creates must not expire later: set expires_at.`;
    expectForbidden(await create(['read'], {}, ending.headers), detail);
    expectForbidden(await create(['read'], { expires_at: null }, ending.headers), detail);
    expectForbidden(await create(['read'], { expires_at: soon(120_000) }, ending.headers), detail);
    expect((await create(['read'], { expires_at: end }, ending.headers)).status).toBe(201);
  });
});

describe('a key bound to an issuer', () => {
  let bound: AdminKey;
  const request = (method: string, path: string, body?: unknown): Promise<HttpResponse> =>
    service.admin(method, path, body, bound.headers);

  beforeAll(async () => {
    bound = await createAdminKey(service, { issuer_id: tenant.issuerId });
  });

  /** Routes that it may call; any other route is closed, and so is one that is added later. */
  const OPEN = [
    'GET /issuers',
    'GET /issuers/{id}',
    'POST /issuers/{id}/keys',
    'PATCH /issuers/{id}/keys/{key_id}',
    'DELETE /issuers/{id}/keys/{key_id}',
    ...['images', 'overlays'].flatMap((kind) => [
      `POST /${kind}`,
      `GET /${kind}`,
      `GET /${kind}/{id}`,
      `GET /${kind}/{id}/preview`,
      `PATCH /${kind}/{id}`,
      `PUT /${kind}/{id}/original`,
      `DELETE /${kind}/{id}`,
    ]),
    'GET /images/{id}/original-preview',
    'GET /audit',
    'GET /usage',
    'GET /retained-public-ids',
    'POST /issuers/{id}/revocations',
    'GET /issuers/{id}/revocations',
    'GET /issuers/{id}/revocations/{revocation_id}',
    'DELETE /issuers/{id}/revocations/{revocation_id}',
  ];

  it('reaches its issuer’s rows, and no other route', async () => {
    const routes = await listAdminRoutes(service);
    const named = routes.map(({ method, path }) => `${method} ${path}`);
    expect(named).toStrictEqual(expect.arrayContaining(OPEN));
    for (const { method, path } of routes) {
      if (OPEN.includes(`${method} ${path}`)) continue;
      const filled = path.replace('{id}', tenant.issuerId).replace('{key_id}', tenant.keyId);
      expectForbidden(await request(method, filled, method === 'GET' ? undefined : {}), BOUND);
    }
  });

  it('lists only its issuer’s rows, whatever the filter', async () => {
    for (const kind of ['issuers', 'images', 'overlays', 'audit']) {
      const own = kind === 'issuers' ? tenant.issuerId : null;
      const { items } = (await request('GET', `/${kind}?limit=100`)).json() as { items: Body[] };
      expect(items.length).toBeGreaterThan(0);
      for (const item of items) expect(own === null ? item['issuer_id'] : item['id']).toBe(tenant.issuerId);
    }
    for (const path of [
      `/images?issuer_id=${neighbour.issuerId}`,
      '/images?public_id=image_of_b',
      `/overlays?issuer_id=${neighbour.issuerId}`,
      `/issuers?name=${encodeURIComponent('Tenant of image_of_b')}`,
      `/audit?issuer_id=${neighbour.issuerId}`,
      `/audit?row_id=${neighbour.imageId}`,
    ]) {
      expect((await request('GET', path)).json()).toStrictEqual({ items: [], next_cursor: null });
    }
  });

  it('sees no admin key in the audit log, not even itself', async () => {
    const whole = await service.admin('GET', `/audit?issuer_id=${tenant.issuerId}&action=admin_key.create`);
    expect((whole.json() as { items: Body[] }).items.map((item) => item['row_id'])).toContain(bound.id);
    for (const filter of ['action=admin_key.create', `row_id=${bound.id}`]) {
      expect((await request('GET', `/audit?${filter}`)).json()).toStrictEqual({
        items: [],
        next_cursor: null,
      });
    }
    const { items } = (await request('GET', '/audit?limit=100')).json() as { items: Body[] };
    const nouns = new Set(items.map((item) => String(item['action']).replace(/\..*/, '')));
    expect(nouns).toContain('issuer_key');
    expect(nouns).not.toContain('admin_key');
  });

  it('gets for another issuer’s rows the response for unknown rows', async () => {
    const reach = (
      owner: Pick<Tenant, 'issuerId' | 'keyId' | 'imageId' | 'overlayId'>,
    ): [string, string, unknown?][] => [
      ['GET', `/issuers/${owner.issuerId}`],
      ['POST', `/issuers/${owner.issuerId}/keys`, {}],
      ['PATCH', `/issuers/${owner.issuerId}/keys/${owner.keyId}`, { not_after: '2020-01-01T00:00:00Z' }],
      ['PATCH', `/issuers/${tenant.issuerId}/keys/${owner.keyId}`, { not_after: '2020-01-01T00:00:00Z' }],
      ['DELETE', `/issuers/${owner.issuerId}/keys/${owner.keyId}`],
      ['DELETE', `/issuers/${tenant.issuerId}/keys/${owner.keyId}`],
      ['POST', '/images', { issuer_id: owner.issuerId, public_id: 'taken_over', version: 1 }],
      ['POST', '/overlays', { issuer_id: owner.issuerId, public_id: 'taken_over' }],
      ['GET', `/images/${owner.imageId}`],
      ['GET', `/images/${owner.imageId}/preview`],
      ['PATCH', `/images/${owner.imageId}`, { access: 'public' }],
      ['DELETE', `/images/${owner.imageId}`],
      ['GET', `/overlays/${owner.overlayId}`],
      ['GET', `/overlays/${owner.overlayId}/preview`],
      ['PATCH', `/overlays/${owner.overlayId}`, { public_id: 'moved' }],
      ['DELETE', `/overlays/${owner.overlayId}`],
    ];
    const unknown = {
      issuerId: randomUUID(),
      keyId: randomUUID(),
      imageId: randomUUID(),
      overlayId: randomUUID(),
    };
    const rows = (): Promise<Body[]> =>
      sql(
        `SELECT to_jsonb(t) AS row FROM (SELECT id, updated_at FROM images UNION ALL SELECT id, updated_at FROM overlays
           UNION ALL SELECT id, not_after FROM issuer_keys) AS t ORDER BY id`,
      );
    const before = await rows();
    const theirs = reach(neighbour);
    const nobodys = reach(unknown);
    for (const [index, [method, path, body]] of theirs.entries()) {
      const [, other = '', otherBody] = nobodys[index] ?? [];
      const response = await request(method, path, body);
      expect(response.status, `${method} ${path}`).toBe(404);
      expect(comparable(response)).toStrictEqual(comparable(await request(method, other, otherBody)));
    }
    for (const kind of ['images', 'overlays']) {
      const id = kind === 'images' ? neighbour.imageId : neighbour.overlayId;
      const form = new FormData();
      form.set('file', new Blob(['not an image']), 'x.png');
      const response = await fetch(`${service.url}/admin/${kind}/${id}/original`, {
        method: 'PUT',
        headers: bound.headers,
        body: form,
      });
      expect(response.status).toBe(404);
    }
    expect(await rows()).toStrictEqual(before);
  });

  it('creates, changes and deletes its issuer’s rows', async () => {
    const key = await request('POST', `/issuers/${tenant.issuerId}/keys`, {});
    expect(key.status).toBe(201);
    const { id: keyId } = key.json() as { id: string };
    const keys = `/issuers/${tenant.issuerId}/keys/${keyId}`;
    expect((await request('PATCH', keys, { not_after: '2199-01-01T00:00:00Z' })).status).toBe(200);
    expect((await request('DELETE', keys)).status).toBe(204);
    for (const kind of ['images', 'overlays']) {
      const version = kind === 'images' ? { version: 1 } : {};
      const created = await request('POST', `/${kind}`, {
        issuer_id: tenant.issuerId,
        public_id: `own_${kind}`,
        ...version,
      });
      expect(created.status).toBe(201);
      const { id } = created.json() as { id: string };
      expect((await request('GET', `/${kind}/${id}`)).json()).toStrictEqual(created.json());
      expect((await request('PATCH', `/${kind}/${id}`, { public_id: `renamed_${kind}` })).status).toBe(200);
      expect((await request('DELETE', `/${kind}/${id}`)).status).toBe(204);
    }
    const { keys: shown } = (await request('GET', `/issuers/${tenant.issuerId}`)).json() as { keys: Body[] };
    expect(shown.map((each) => each['id'])).toStrictEqual([tenant.keyId]);
  });
});

describe('replicas', () => {
  it('accept a new key at once, refuse a revoked one within a second, and show its last use', async () => {
    const database = await createTestDatabase();
    const shared = 'DATABASE_URL' in database.variables;
    let one = await startService({}, database);
    const other = shared ? await startService({}, database) : one;
    try {
      const { id, headers } = await createAdminKey(one);
      const status = async (): Promise<number> =>
        (await other.admin('GET', '/issuers', undefined, headers)).status;
      await expect.poll(status, { timeout: 1_000, interval: 20 }).toBe(200);
      const revoked = await createAdminKey(one);
      await expect
        .poll(async () => (await other.admin('GET', '/issuers', undefined, revoked.headers)).status)
        .toBe(200);
      expect((await one.admin('DELETE', `/admin-keys/${revoked.id}`)).status).toBe(204);
      await expect
        .poll(async () => (await other.admin('GET', '/issuers', undefined, revoked.headers)).status, {
          timeout: 1_000,
          interval: 20,
        })
        .toBe(401);
      if (shared) await other.close();
      else {
        await one.close();
        one = await startService({}, database);
      }
      const { last_used_at: usedAt } = (await one.admin('GET', `/admin-keys/${id}`)).json() as Body;
      expect(Date.now() - Date.parse(String(usedAt))).toBeLessThan(30_000);
    } finally {
      await one.close();
      await database.drop();
    }
  });
});
