import { randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { DatabaseLookups } from '../../src/directory/database-lookups.service.js';
import { RevocationsService } from '../../src/admin/revocations/revocations.service.js';
import { comparable, request, type HttpResponse } from '../support/http.js';
import { createRandomTenant, post, signWith, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';
import { waitUntil } from '../support/wait-until.js';

interface Revocation {
  readonly id: string;
  readonly issuer_id: string;
  readonly jti: string | null;
  readonly session_id: string | null;
  readonly revoked_at: string;
  readonly expires_at: string | null;
}

let service: Service;
let tenant: Tenant;
let neighbour: Tenant;
let path: string;

beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());
beforeEach(async () => {
  [tenant, neighbour] = [await createRandomTenant(service), await createRandomTenant(service)];
  path = `/issuers/${tenant.issuerId}/revocations`;
});

const open = (claims: object, of = tenant): Promise<HttpResponse> => service.image(of.path({ ...claims }));
const statusOf = async (claims: object, of = tenant): Promise<number> => (await open(claims, of)).status;
const revoke = (body: object): Promise<Revocation> => post<Revocation>(service, path, body);
const query = (text: string, parameters: unknown[] = []): Promise<unknown> =>
  service.app.get(DataSource).query(text, parameters);

/** The response to a token that an unknown issuer signed: a refused one must be identical. */
async function expectRefused(claims: object): Promise<void> {
  const forged = await service.get(
    `/images/${tenant.imageId}?token=${signWith('x'.repeat(32), { iss: tenant.issuerId })}`,
  );
  const response = await open(claims);
  expect(response.json()).toMatchObject({ status: 401, code: 'invalid_token' });
  expect(comparable(response)).toStrictEqual(comparable(forged));
}

/** That an operation causes no look-up, once all replicas have received the last writes. */
async function expectNoLookups(work: () => Promise<void>): Promise<void> {
  const run = vi.spyOn(service.app.get(DatabaseLookups), 'run');
  await waitUntil('it causes no look-up', async () => {
    run.mockClear();
    await work();
    return run.mock.calls.length === 0;
  });
  run.mockRestore();
}

describe.each([
  ['jti', 'jti'],
  ['session_id', 'session_id'],
] as const)('a revoked %s', (_, claim) => {
  const other = claim === 'jti' ? 'session_id' : 'jti';

  it('is refused as a forged token is, and valid again once restored', async () => {
    expect(await statusOf({ [claim]: 'one' })).toBe(302);
    const { id } = await revoke({ [claim]: 'one' });
    await expectRefused({ [claim]: 'one' });
    await expectRefused({ [claim]: 'one', [other]: 'any' });
    expect((await service.admin('DELETE', `${path}/${id}`)).status).toBe(204);
    expect(await statusOf({ [claim]: 'one' })).toBe(302);
  });

  it('is the only one: no other name, no other claim, no other issuer', async () => {
    await revoke({ [claim]: 'one' });
    for (const claims of [{}, { [claim]: 'One' }, { [claim]: 'one ' }, { [other]: 'one' }]) {
      expect(await statusOf(claims)).toBe(302);
    }
    expect(await statusOf({ [claim]: 'one' }, neighbour)).toBe(302);
  });

  it.each(['a:b/ü 写真 🙂', "' OR 1=1 --", '%', '\\', 'x'.repeat(255)])('may be named %j', async (value) => {
    await revoke({ [claim]: value });
    await expectRefused({ [claim]: value });
    expect(await statusOf({ [claim]: value.slice(1) || 'x' })).toBe(302);
  });

  it('is effective if it is written by hand', async () => {
    expect(await statusOf({ [claim]: 'one' })).toBe(302);
    await query('INSERT INTO revocations (id, issuer_id, kind, value) VALUES ($1, $2, $3, $4)', [
      randomUUID(), tenant.issuerId, claim === 'jti' ? 'token' : 'session', 'one',
    ]); // prettier-ignore
    await waitUntil(
      'the token is refused',
      async () => (await service.get(tenant.path({ [claim]: 'one' }))).status === 401,
    );
    await query('DELETE FROM revocations WHERE issuer_id = $1', [tenant.issuerId]);
    await waitUntil('it is valid again', async () => (await statusOf({ [claim]: 'one' })) === 302);
  });
});

describe('revocations', () => {
  it('apply to explain and deliveries as well', async () => {
    await revoke({ jti: 'one' });
    const token = tenant.sign({ jti: 'one' });
    expect((await service.get(`/images/${tenant.imageId}/explain?token=${token}`)).status).toBe(401);
    const body = { deliveries: [{ image_id: tenant.imageId, token }] };
    const response = await request({ port: service.port, path: '/deliveries', method: 'POST', body });
    expect(response.json()).toMatchObject({ deliveries: [{ problem: { code: 'invalid_token' } }] });
  });

  it('cost a cached redirect no look-up', async () => {
    await revoke({ jti: 'one' });
    await expectNoLookups(async () => {
      expect(await statusOf({ jti: randomUUID(), session_id: randomUUID() })).toBe(302);
      await expectRefused({ jti: 'one' });
    });
  });

  it('are shown, listed by pages, and found by name', async () => {
    const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string;
    const token = await revoke({ jti: 'one', expires_at: '2099-01-01T00:00:00Z' });
    expect(token).toStrictEqual({
      id: expect.any(String) as string,
      issuer_id: tenant.issuerId,
      jti: 'one',
      session_id: null,
      revoked_at: instant,
      expires_at: '2099-01-01T00:00:00.000Z',
    });
    const session = await revoke({ session_id: 'one' });
    expect(session).toMatchObject({ jti: null, session_id: 'one', expires_at: null });
    expect((await service.admin('GET', `${path}/${token.id}`)).json()).toStrictEqual(token);
    const list = async (query: string): Promise<{ items: Revocation[]; next_cursor: string | null }> =>
      (await service.admin('GET', path + query)).json() as {
        items: Revocation[];
        next_cursor: string | null;
      };
    const both = [token, session].sort((a, b) => (a.id < b.id ? -1 : 1));
    expect(await list('')).toStrictEqual({ items: both, next_cursor: null });
    const first = await list('?limit=1');
    const second = await list(`?limit=1&cursor=${String(first.next_cursor)}`);
    expect([...first.items, ...second.items]).toStrictEqual(both);
    expect(await list('?jti=one')).toStrictEqual({ items: [token], next_cursor: null });
    expect(await list('?session_id=one')).toStrictEqual({ items: [session], next_cursor: null });
    expect((await list('?jti=two')).items).toStrictEqual([]);
  });

  it('are created once, and never shortened', async () => {
    const first = await revoke({ jti: 'one', expires_at: '2098-01-01T00:00:00Z' });
    const shorter = await revoke({ jti: 'one', expires_at: '2097-01-01T00:00:00Z' });
    expect(shorter).toStrictEqual(first);
    const longer = await revoke({ jti: 'one', expires_at: '2099-01-01T00:00:00Z' });
    expect(longer).toStrictEqual({ ...first, expires_at: '2099-01-01T00:00:00.000Z' });
    const longest = await revoke({ jti: 'one', expires_at: '9999-12-31T23:59:59.999999999Z' });
    expect(longest).toStrictEqual({ ...first, expires_at: '9999-12-31T23:59:59.999Z' });
    const permanent = await revoke({ jti: 'one' });
    expect(permanent).toStrictEqual({ ...first, expires_at: null });
    expect(await revoke({ jti: 'one', expires_at: '2099-01-01T00:00:00Z' })).toStrictEqual(permanent);
  });

  const TEXT = 'must be text of 1 to 255 characters without control characters';
  const ONE = 'must be set, or session_id instead';
  it.each([
    [{}, 'jti', ONE],
    [{ jti: 'a', session_id: 'b' }, 'jti', ONE],
    [{ jti: '' }, 'jti', TEXT],
    [{ jti: 'x'.repeat(256) }, 'jti', TEXT],
    [{ jti: 'a\u0000' }, 'jti', TEXT],
    [{ jti: 7 }, 'jti', TEXT],
    [{ session_id: null }, 'session_id', TEXT],
    [{ session_id: ['a'] }, 'session_id', TEXT],
    [
      { jti: 'a', expires_at: 'soon' },
      'expires_at',
      expect.stringContaining('must be a date and time') as string,
    ],
    [{ jti: 'a', kind: 'token' }, 'kind', 'is unknown'],
  ])('cannot be %j', async (body, key, detail) => {
    const response = await service.admin('POST', path, body);
    expect(response.json()).toMatchObject({ status: 422, errors: [{ key, detail }] });
  });

  it('belong to an existing issuer only', async () => {
    const { id } = await revoke({ jti: 'one' });
    for (const issuer of [randomUUID(), 'x']) {
      const nobodys = `/issuers/${issuer}/revocations`;
      for (const response of [
        await service.admin('POST', nobodys, { jti: 'one' }),
        await service.admin('GET', nobodys),
        await service.admin('GET', `${nobodys}/${id}`),
        await service.admin('DELETE', `${nobodys}/${id}`),
      ]) {
        expect(response.json()).toMatchObject({ status: 404, code: 'issuer_not_found' });
      }
    }
    for (const wrong of [
      `/issuers/${neighbour.issuerId}/revocations/${id}`,
      `${path}/${randomUUID()}`,
      `${path}/x`,
    ]) {
      for (const method of ['GET', 'DELETE']) {
        const response = await service.admin(method, wrong);
        expect(response.json()).toMatchObject({ status: 404, code: 'revocation_not_found' });
      }
    }
    await expectRefused({ jti: 'one' });
  });

  it('are deleted an hour after the last token they concern, and with their issuer', async () => {
    const hour = 3_600_000;
    const at = (distance: number): string => new Date(Date.now() + distance).toISOString();
    await revoke({ jti: 'over', expires_at: at(-hour - 1_000) });
    const kept = [
      await revoke({ jti: 'lately', expires_at: at(-hour + 60_000) }),
      await revoke({ jti: 'live', expires_at: at(hour) }),
      await revoke({ jti: 'for good' }),
    ];
    await expectRefused({ jti: 'over' });
    expect(await service.app.get(RevocationsService, { strict: false }).prune()).toBe(1);
    const { items } = (await service.admin('GET', path)).json() as { items: Revocation[] };
    expect(items.map(({ id }) => id).sort()).toStrictEqual(kept.map(({ id }) => id).sort());
    await waitUntil(
      'it is forgotten',
      async () => (await service.get(tenant.path({ jti: 'over' }))).status === 302,
    );

    const { id } = await post<{ id: string }>(service, '/issuers', { name: 'Soon gone' });
    await post(service, `/issuers/${id}/revocations`, { jti: 'one' });
    expect((await service.admin('DELETE', `/issuers/${id}`)).status).toBe(204);
    expect(await query('SELECT FROM revocations WHERE issuer_id = $1', [id])).toStrictEqual([]);
  });

  it('and restorations are in the audit log', async () => {
    const created = await revoke({ jti: 'one' });
    await service.admin('DELETE', `${path}/${created.id}`);
    const response = await service.admin('GET', `/audit?row_id=${created.id}`);
    const { items } = response.json() as { items: { actor: string }[] };
    expect(items).toMatchObject([
      { action: 'revocation.delete', issuer_id: tenant.issuerId, before: { value: 'one' }, after: null },
      { action: 'revocation.create', issuer_id: tenant.issuerId, before: null, after: { value: 'one' } },
    ]);
    for (const { actor } of items) expect(actor).toMatch(/^environment:/);
  });

  it('are open to a key bound to their issuer, and to no other issuer’s', async () => {
    const bound = async (issuer_id: string): Promise<Record<string, string>> => {
      const body = { name: 'Bound', scopes: ['read', 'write'], issuer_id };
      const { key } = await post<{ key: string }>(service, '/admin-keys', body);
      return { authorization: `Bearer ${key}` };
    };
    const [own, foreign] = [await bound(tenant.issuerId), await bound(neighbour.issuerId)];
    const created = await service.admin('POST', path, { jti: 'one' }, own);
    expect(created.status).toBe(201);
    const { id } = created.json() as Revocation;
    await expectRefused({ jti: 'one' });
    for (const [method, of, body] of [
      ['POST', path, { jti: 'two' }],
      ['GET', path, undefined],
      ['GET', `${path}/${id}`, undefined],
      ['DELETE', `${path}/${id}`, undefined],
    ] as const) {
      expect((await service.admin(method, of, body, foreign)).json()).toMatchObject({
        status: 404,
        code: 'issuer_not_found',
      });
    }
    expect((await service.admin('GET', `${path}/${id}`, undefined, own)).status).toBe(200);
    expect((await service.admin('DELETE', `${path}/${id}`, undefined, own)).status).toBe(204);
    expect(await statusOf({ jti: 'one' })).toBe(302);
  });

  it('are looked up one by one if an issuer has more than 10,000', async () => {
    await query(
      `INSERT INTO revocations (id, issuer_id, kind, value)
       SELECT gen_random_uuid(), $1, 'token', 'many_' || n FROM generate_series(1, 10000) AS n`,
      [tenant.issuerId],
    );
    const { id } = await revoke({ session_id: 'one' });
    expect(await statusOf({ jti: 'many_' })).toBe(302);
    // Each name once: the result is cached.
    await expectNoLookups(async () => {
      for (const claims of [{ jti: 'many_1' }, { jti: 'many_10000' }, { jti: 'good', session_id: 'one' }]) {
        await expectRefused(claims);
      }
      expect(await statusOf({ jti: 'many_10001', session_id: 'two' })).toBe(302);
    });
    // A change evicts the cached results.
    await service.admin('DELETE', `${path}/${id}`);
    expect(await statusOf({ jti: 'good', session_id: 'one' })).toBe(302);
  });
});

describe.each([
  ['an issuer', (): string => `/issuers/${tenant.issuerId}`],
  ['an image', (): string => `/images/${tenant.imageId}`],
])('not_before of %s', (_, resource) => {
  const set = async (not_before: string | null): Promise<void> => {
    const response = await service.admin('PATCH', resource(), { not_before });
    expect(response.json()).toMatchObject({
      not_before: not_before === null ? null : new Date(not_before).toISOString(),
    });
    expect(response.status).toBe(200);
  };

  it('refuses tokens with an older iat, or without one, until it is removed', async () => {
    const seconds = 1_700_000_000;
    expect(await statusOf({})).toBe(302);
    await set(new Date(seconds * 1000).toISOString());
    for (const claims of [{}, { iat: 0 }, { iat: seconds - 1 }, { iat: seconds - 0.001 }]) {
      await expectRefused(claims);
    }
    for (const iat of [seconds, seconds + 0.5, seconds + 1]) expect(await statusOf({ iat })).toBe(302);
    await set(new Date(seconds * 1000 + 1).toISOString());
    await expectRefused({ iat: seconds });
    await set(null);
    expect(await statusOf({})).toBe(302);
  });

  it('does not affect another issuer', async () => {
    await set(new Date().toISOString());
    expect(await statusOf({}, neighbour)).toBe(302);
  });

  it('must be a time or null', async () => {
    for (const not_before of ['now', 1_700_000_000, true]) {
      const response = await service.admin('PATCH', resource(), { not_before });
      expect(response.json()).toMatchObject({ status: 422, errors: [{ key: 'not_before' }] });
    }
  });
});

describe('not_before of an image', () => {
  it('applies to that image only, and does not close a public image', async () => {
    const other = await post<{ id: string }>(service, '/images', {
      issuer_id: tenant.issuerId, public_id: `another_${tenant.imageId}`, version: 1, access: 'public',
    }); // prettier-ignore
    await service.admin('PATCH', `/images/${tenant.imageId}`, { not_before: new Date().toISOString() });
    expect((await service.image(`/images/${other.id}?token=${tenant.sign()}`)).status).toBe(302);
    await service.admin('PATCH', `/images/${other.id}`, { not_before: new Date().toISOString() });
    expect((await service.image(`/images/${other.id}`)).status).toBe(302);
  });
});
