import { randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SCOPES, runAs } from '../../src/platform/actor/actor.js';
import { IssuersService } from '../../src/admin/issuers/issuers.service.js';
import { createAdminKey } from '../support/admin-keys.js';
import type { HttpResponse } from '../support/http.js';
import { createTenant, type Tenant } from '../support/seed.js';
import { ADMIN_KEY, startService, type Service } from '../support/service.js';
import { drawPhoto } from '../../src/operations/demo/drawings.js';
import { problem } from '../support/http.js';

type Row = Record<string, unknown>;

let service: Service;
let tenant: Tenant;
const sql = <T = Row>(text: string, values: unknown[] = []): Promise<T[]> =>
  service.app.get(DataSource).query<T[]>(text, values);

beforeAll(async () => {
  service = await startService();
  tenant = await createTenant(service, { publicId: 'an_image', overlayPublicId: 'a_layer' });
});
afterAll(() => service.close());

let names = 0;
const freshName = (): string => `once_${++names}`;

const create = (
  path: string,
  key: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<HttpResponse> => service.admin('POST', path, body, { 'idempotency-key': key, ...headers });

const count = async (table: string, name: string): Promise<number> => {
  const column = table === 'issuers' || table === 'admin_keys' ? 'name' : 'public_id';
  const [row] = await sql<{ n: number }>(`SELECT count(*)::int AS n FROM ${table} WHERE ${column} = $1`, [
    name,
  ]);
  return row?.n ?? 0;
};

const IN_PROGRESS = problem(
  409,
  'idempotency_in_progress',
  'A request with this Idempotency-Key is in progress. Send it again to get its response.',
);
const REUSED = problem(
  422,
  'idempotency_key_reused',
  'The Idempotency-Key was used with another body. Send a new key for a new request.',
);

describe('a repeated create', () => {
  it.each<[table: string, createOne: (name: string) => [path: string, body: Row | undefined]]>([
    ['issuers', (name) => ['/issuers', { name }]],
    ['images', (name) => ['/images', { issuer_id: tenant.issuerId, public_id: name, version: 1 }]],
    ['overlays', (name) => ['/overlays', { issuer_id: tenant.issuerId, public_id: name }]],
    ['admin_keys', (name) => ['/admin-keys', { name, scopes: ['read'] }]],
  ])('in %s gets the first response, and creates one row', async (table, createOne) => {
    const name = freshName();
    const [path, body] = createOne(name);
    const key = randomUUID();
    const first = await create(path, key, body);
    expect(first.status).toBe(201);
    expect(first.headers).not.toHaveProperty('idempotency-replayed');
    const again = await create(path, key, body);
    expect({ status: again.status, text: again.text }).toStrictEqual({ status: 201, text: first.text });
    expect(again.headers['idempotency-replayed']).toBe('true');
    expect(again.headers['x-request-id']).not.toBe(first.headers['x-request-id']);
    expect(again.headers['cache-control']).toBe('no-store');
    expect(await count(table, name)).toBe(1);
  });

  it('shows a signing key’s secret again, which is not in the database in clear text', async () => {
    const secret = `canary-${randomUUID()}-canary`;
    const path = `/issuers/${tenant.issuerId}/keys`;
    const key = randomUUID();
    const first = await create(path, key, { secret });
    expect((await create(path, key, { secret })).text).toBe(first.text);
    expect(first.text).toContain(secret);
    const bare = randomUUID();
    const created = await create(path, bare);
    expect((await create(path, bare)).text).toBe(created.text);
    const dump = JSON.stringify(
      await sql(
        `SELECT k::text AS row, encode(coalesce(answer, ''), 'escape') AS response FROM idempotency_keys AS k`,
      ),
    );
    expect(dump).toContain(key);
    expect(dump).not.toContain(secret);
    expect(dump).not.toContain((created.json() as { secret: string }).secret);
    expect(dump).not.toContain(Buffer.from(secret).toString('hex'));
  });

  it('as a form is identified by its fields and its file', async () => {
    const photo = await drawPhoto();
    const upload = async (key: string, name: string, content: Buffer): Promise<Response> => {
      const form = new FormData();
      form.set('issuer_id', tenant.issuerId);
      form.set('public_id', name);
      form.set('file', new Blob([new Uint8Array(content)]), 'picture');
      return fetch(`${service.url}/admin/images`, {
        method: 'POST',
        headers: { authorization: `Bearer ${ADMIN_KEY}`, 'idempotency-key': key },
        body: form,
      });
    };
    const [key, name] = [randomUUID(), freshName()];
    const first = await upload(key, name, photo);
    const text = await first.text();
    expect(first.status).toBe(201);
    // The generated version of the second upload is different.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect(await (await upload(key, name, photo)).text()).toBe(text);
    expect(await (await upload(key, name, photo.subarray(1))).json()).toStrictEqual(REUSED);
    expect(await (await upload(key, `${name}x`, photo)).json()).toStrictEqual(REUSED);
    expect(await count('images', name)).toBe(1);
  });

  it('sent twenty times at once runs once', async () => {
    const [key, name] = [randomUUID(), freshName()];
    const responses = await Promise.all(Array.from({ length: 20 }, () => create('/issuers', key, { name })));
    const created = responses.filter(({ status }) => status === 201);
    expect(created.length).toBeGreaterThan(0);
    expect(new Set(created.map(({ text }) => text)).size).toBe(1);
    for (const response of responses.filter(({ status }) => status !== 201)) {
      expect(response.json()).toStrictEqual(IN_PROGRESS);
      expect(response.headers['retry-after']).toBe('1');
    }
    expect(await count('issuers', name)).toBe(1);
    expect((await create('/issuers', key, { name })).text).toBe(created[0]?.text);
  });

  it('with another body is refused; with another key, route or caller it is a new request', async () => {
    const [key, name] = [randomUUID(), freshName()];
    const first = await create('/issuers', key, { name });
    for (const body of [{ name: `${name}x` }, { name, disabled: false }, {}, undefined]) {
      const response = await create('/issuers', key, body);
      expect(response.json()).toStrictEqual(body === undefined ? { ...REUSED } : REUSED);
      expect(response.status).toBe(422);
    }
    const other = await createAdminKey(service);
    for (const [path, headers, again] of [
      ['/issuers', { 'idempotency-key': randomUUID() }, { name }],
      ['/issuers', other.headers, { name }],
      ['/admin-keys', {}, { name, scopes: ['read'] }],
    ] as const) {
      const response = await create(path, key, again, headers);
      expect(response.status).toBe(201);
      expect(response.text).not.toBe(first.text);
      expect(response.headers).not.toHaveProperty('idempotency-replayed');
    }
    expect(await count('issuers', name)).toBe(3);
  });

  const encode = (text: string): string =>
    text.replace(/[a-z0-9]/gi, (character) => `%${character.charCodeAt(0).toString(16)}`);

  it.each<[name: string, rewrite: (id: string) => string]>([
    ['a query', (id) => `/issuers/${id}/keys?a=b`],
    ['capital letters in the id', (id) => `/issuers/${id.toUpperCase()}/keys`],
    ['an encoded id', (id) => `/issuers/${encode(id)}/keys`],
    ['an encoded route', (id) => `/${encode('issuers')}/${id}/k%65ys`],
    ['both', (id) => `/i%73suers/${encode(id.toUpperCase())}/keys?`],
  ])('in another form of the path is the same request: %s', async (_, rewrite) => {
    const key = randomUUID();
    const first = await create(`/issuers/${tenant.issuerId}/keys`, key, {});
    expect(first.status).toBe(201);
    const again = await create(rewrite(tenant.issuerId), key, {});
    expect({ status: again.status, text: again.text }).toStrictEqual({ status: 201, text: first.text });
    expect(again.headers['idempotency-replayed']).toBe('true');
    const issuer = await service.admin(
      'DELETE',
      `/issuers/${tenant.issuerId}/keys/${(first.json() as Row)['id'] as string}`,
    );
    expect(issuer.status).toBe(204);
  });

  it('for another resource of the route is a new request', async () => {
    const other = await createTenant(service, { publicId: freshName(), overlayPublicId: freshName() });
    const key = randomUUID();
    const bodies = await Promise.all(
      [tenant, other].map(({ issuerId }) => create(`/issuers/${issuerId}/keys`, key, {})),
    );
    expect(bodies.map(({ status }) => status)).toStrictEqual([201, 201]);
    expect(new Set(bodies.map(({ text }) => text)).size).toBe(2);
  });

  it('for a path that no row can have is not found', async () => {
    expect((await create('/issuers/%00/keys', randomUUID(), {})).status).toBe(404);
  });

  it('after a refusal runs again', async () => {
    const [key, name] = [randomUUID(), freshName()];
    const body = { issuer_id: tenant.issuerId, public_id: name };
    const held = await create('/overlays', randomUUID(), body);
    expect((await create('/overlays', key, body)).json()).toMatchObject({ code: 'public_id_taken' });
    expect((await create('/overlays', key, { public_id: 5 })).json()).toMatchObject({
      code: 'invalid_request',
    });
    const { id } = held.json() as { id: string };
    expect((await service.admin('DELETE', `/overlays/${id}`)).status).toBe(204);
    expect((await create('/overlays', key, body)).status).toBe(201);
  });

  it('after a day is a new request', async () => {
    const [key, name] = [randomUUID(), freshName()];
    await create('/issuers', key, { name });
    const age = (interval: string): Promise<Row[]> =>
      sql(`UPDATE idempotency_keys SET created_at = now() - $2::interval WHERE key = $1`, [key, interval]);
    await age('23 hours 59 minutes');
    await create('/issuers', key, { name });
    expect(await count('issuers', name)).toBe(1);
    await age('24 hours 1 second');
    await create('/issuers', randomUUID(), { name: freshName() });
    expect(await sql('SELECT FROM idempotency_keys WHERE key = $1', [key])).toHaveLength(0);
    expect((await create('/issuers', key, { name })).status).toBe(201);
    expect(await count('issuers', name)).toBe(2);
  });

  it.each(['', ' '.repeat(256), 'x'.repeat(256), 'ü', 'a\tb'])(
    'requires a well-formed key, not %j',
    async (key) => {
      const response = await create('/issuers', key, { name: 'x' });
      expect(response.json()).toMatchObject({
        status: 422,
        code: 'invalid_request',
        errors: [{ key: 'Idempotency-Key', detail: 'must be 1 to 255 printable ASCII characters' }],
      });
    },
  );

  it('without the scope is refused before the key is checked', async () => {
    const reader = await createAdminKey(service, { scopes: ['read'] });
    const [key, name] = [randomUUID(), freshName()];
    await create('/issuers', key, { name });
    expect((await create('/issuers', key, { name }, reader.headers)).status).toBe(403);
    expect((await create('/issuers', key, { name }, { authorization: 'Bearer x' })).status).toBe(401);
  });
});

describe('a process that stopped half-way', () => {
  /** What it left: a reservation without a response, of this age. */
  async function leave(
    key: string,
    name: string,
    { written, seconds }: { written: boolean; seconds: number },
  ) {
    await create('/issuers', key, { name });
    await sql(
      `UPDATE idempotency_keys SET answer = NULL, written = $2, leased_at = now() - make_interval(secs => $3)
        WHERE key = $1`,
      [key, written, seconds],
    );
  }

  it.each([
    { written: false, seconds: 30, status: 409, code: 'idempotency_in_progress', rows: 1 },
    { written: true, seconds: 30, status: 409, code: 'idempotency_in_progress', rows: 1 },
    { written: true, seconds: 61, status: 409, code: 'idempotency_answer_lost', rows: 1 },
    { written: false, seconds: 61, status: 201, code: undefined, rows: 2 },
  ])('leaves %j', async ({ status, code, rows, ...left }) => {
    const [key, name] = [randomUUID(), freshName()];
    await leave(key, name, left);
    const response = await create('/issuers', key, { name });
    expect(response.status).toBe(status);
    expect((response.json() as Row)['code']).toBe(code);
    expect(await count('issuers', name)).toBe(rows);
    const other = await create('/issuers', key, { name: `${name}x` });
    expect(other.json()).toStrictEqual(REUSED);
  });

  it('marks its writes in the same transaction', async () => {
    const [key, name] = [randomUUID(), freshName()];
    await create('/issuers', key, { name });
    expect(await sql('SELECT written FROM idempotency_keys WHERE key = $1', [key])).toStrictEqual([
      { written: true },
    ]);
  });

  it('and was only slow cannot write once a repeat has taken over', async () => {
    const name = freshName();
    const actor = { name: 'slow', scopes: SCOPES, issuerId: null, expiresAt: null };
    await expect(
      runAs({ actor, requestId: null, reservation: randomUUID(), span: null }, () =>
        service.app.get(IssuersService, { strict: false }).create({ name }),
      ),
    ).rejects.toThrow('the idempotency key was reserved anew');
    expect(await count('issuers', name)).toBe(0);
  });
});

describe('a stored response', () => {
  it.each([
    [
      'moved to another key',
      'UPDATE idempotency_keys SET answer = (SELECT answer FROM idempotency_keys WHERE key = $2) WHERE key = $1',
    ],
    [
      'altered',
      `UPDATE idempotency_keys SET answer = set_byte(answer, 40, get_byte(answer, 40) # 1) WHERE key = $1 AND key <> $2`,
    ],
  ])('cannot be decrypted if it was %s', async (_, statement) => {
    const [one, two] = [randomUUID(), randomUUID()];
    const [name, other] = [freshName(), freshName()];
    await create('/issuers', one, { name });
    await create('/issuers', two, { name: other });
    await sql(statement, [one, two]);
    const response = await create('/issuers', one, { name });
    expect(response.json()).toMatchObject({ status: 409, code: 'idempotency_answer_lost' });
    expect(await count('issuers', name)).toBe(1);
  });
});
