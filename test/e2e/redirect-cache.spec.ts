import { createSecretKey, randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { RedirectCache } from '../../src/redirect/redirect-cache.js';
import { readRedirectUrl } from '../../src/redirect/redirect-url.js';
import { IssuerKeyUses } from '../../src/directory/issuer-key-uses.service.js';
import { changesReceived } from '../support/change-feed.js';
import { comparable, request, type HttpResponse } from '../support/http.js';
import { createRandomTenant, type Tenant } from '../support/seed.js';
import { startService, type RequestOptions, type Service } from '../support/service.js';
import { waitUntil } from '../support/wait-until.js';
import { mint } from '../tokens/token-fixtures.js';

let service: Service;
let tenant: Tenant;

beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());
beforeEach(async () => {
  tenant = await createTenantOf(service);
});
afterEach(() => vi.useRealTimers());

async function createTenantOf(of: Service): Promise<Tenant> {
  const created = await createRandomTenant(of);
  await changesReceived(of);
  return created;
}

const cacheOf = (of: Service): RedirectCache => of.app.get(RedirectCache, { strict: false });

function isCached(
  path: string,
  origin = { protocol: 'http', host: `127.0.0.1:${service.port}` },
  of = service,
): boolean {
  const { pathId, query } = readRedirectUrl(path) ?? { pathId: '', query: {} };
  return cacheOf(of).get({ pathId, token: String(query['token']), origin }, Date.now()) !== null;
}

/** Sends the request until it is cached. */
async function fillCache(path: string): Promise<HttpResponse> {
  await changesReceived(service);
  await service.image(path);
  const response = await service.image(path);
  expect(response.status).toBe(302);
  expect(isCached(path)).toBe(true);
  return response;
}

/** The same request without the cache. */
async function decided(path: string, options?: RequestOptions): Promise<HttpResponse> {
  const get = vi.spyOn(cacheOf(service), 'get').mockReturnValueOnce(null);
  try {
    return await service.image(path, options);
  } finally {
    get.mockRestore();
  }
}

async function expectSame(path: string, options?: RequestOptions): Promise<HttpResponse> {
  const [response, fresh] = [await service.image(path, options), await decided(path, options)];
  expect(comparable(response)).toStrictEqual(comparable(fresh));
  return response;
}

const withLayer = (claims: object = {}): string =>
  tenant.path({ transformations: [{ overlay: tenant.overlayId, width: 200 }], ...claims });

describe('a cached redirect', () => {
  it('equals the decided one, for GET and HEAD, header by header', async () => {
    const path = withLayer();
    await fillCache(path);
    for (const method of ['GET', 'HEAD'] as const) {
      const [cached, fresh] = [await service.image(path, { method }), await decided(path, { method })];
      expect(comparable(cached)).toStrictEqual(comparable(fresh));
      const names = ({ rawHeaders }: HttpResponse): string[] =>
        rawHeaders.filter((_, index) => index % 2 === 0);
      expect(names(cached)).toStrictEqual(names(fresh));
      expect(cached.text === '').toBe(method === 'HEAD');
    }
  });

  it('keeps a well-formed request id, generates one otherwise, and has its runtime', async () => {
    const path = withLayer();
    await fillCache(path);
    const identified = await service.image(path, { headers: { 'x-request-id': 'a-caller@s_id' } });
    expect(identified.headers['x-request-id']).toBe('a-caller@s_id');
    const created = await service.image(path, { headers: { 'x-request-id': 'not one' } });
    expect(created.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    expect(created.headers['x-runtime']).toMatch(/^0\.\d{6}$/);
  });

  it('is not used for a path longer than an id, by GET or in bulk', async () => {
    const { port } = service;
    const [, token] = tenant.path({ image_id: tenant.imageId }).split('token=');
    const long = `/images/${'a'.repeat(37)}?token=${token}`;
    const body = JSON.stringify({ deliveries: [{ image_id: 'b'.repeat(200_000), token }] });
    const headers = { 'content-type': 'application/json' };
    const { bytes } = cacheOf(service).size;
    for (let turn = 0; turn < 3; turn += 1) {
      expect((await service.image(long)).status).toBe(302);
      const bulk = await request({ port, path: '/deliveries', method: 'POST', body, headers });
      expect(bulk.json()).toMatchObject({ deliveries: [{ image_id: tenant.imageId }] });
    }
    expect(isCached(long)).toBe(false);
    expect(cacheOf(service).size.bytes).toBe(bytes);
  });

  it('is counted for its key', async () => {
    const count = vi.spyOn(service.app.get(IssuerKeyUses), 'count');
    const path = withLayer();
    await fillCache(path);
    await service.image(path);
    expect(count.mock.calls).toStrictEqual([[tenant.keyId], [tenant.keyId], [tenant.keyId]]);
    count.mockRestore();
  });

  it('is for the Host of its request', async () => {
    const path = withLayer();
    await fillCache(path);
    const response = await expectSame(path, { headers: { host: 'img.example.com' } });
    expect(response.headers.location).toMatch(/^http:\/\/img\.example\.com\/assets\/blank\.jpg#/);
    expect((await service.get(path, { host: 'bad host' })).status).toBe(400);
  });

  it('needs a second request, and an accepted token; other query parameters are ignored', async () => {
    const once = withLayer();
    await service.image(once);
    expect(isCached(once)).toBe(false);
    const forged = `${once.slice(0, -4)}AAAA`;
    for (let times = 0; times < 3; times += 1) {
      expect((await service.image(forged)).status).toBe(401);
    }
    expect(isCached(forged)).toBe(false);
    await fillCache(once);
    expect(isCached(`${once}&width=1`)).toBe(true);
    expect((await service.image(`${once}&width=1`)).headers.location).toBe(
      (await service.image(once)).headers.location,
    );
    expect((await service.get(`${once.slice(0, -4)}AAAA`)).status).toBe(401);
  });

  const admin = async (method: string, path: string, body?: object): Promise<void> => {
    expect((await service.admin(method, path, body)).status).toBeLessThan(300);
  };
  const issuer = (body: object) => () => admin('PATCH', `/issuers/${tenant.issuerId}`, body);
  const changes: [what: string, status: number, change: () => Promise<void>][] = [
    ['a disabled issuer', 401, issuer({ disabled: true })],
    ['not before, of the issuer', 401, issuer({ not_before: '2100-01-01T00:00:00Z' })],
    ['a mandatory step', 302, issuer({ policy: { mandatory_steps: [{ width: 10, crop: 'fit' }] } })],
    ['a policy that forbids it', 403, issuer({ policy: { presets_only: true } })],
    ['a policy that sets its caching', 302, issuer({ policy: { redirect_cache: 'private' } })],
    ['another format', 302, issuer({ delivery_format: 'png' })],
    [
      'a revoked key',
      401,
      async () => {
        await admin('POST', `/issuers/${tenant.issuerId}/keys`, {});
        await admin('DELETE', `/issuers/${tenant.issuerId}/keys/${tenant.keyId}`);
      },
    ],
    [
      'an expired key',
      401,
      () =>
        admin('PATCH', `/issuers/${tenant.issuerId}/keys/${tenant.keyId}`, {
          not_after: '2020-01-01T00:00:00Z',
        }),
    ],
    ['a revoked token', 401, () => admin('POST', `/issuers/${tenant.issuerId}/revocations`, { jti: 'a' })],
    [
      'a revoked session',
      401,
      () => admin('POST', `/issuers/${tenant.issuerId}/revocations`, { session_id: 's' }),
    ],
    ['another version', 302, () => admin('PATCH', `/images/${tenant.imageId}`, { version: 7 })],
    ['a deleted image', 410, () => admin('DELETE', `/images/${tenant.imageId}`)],
    [
      'not before, of the image',
      401,
      () => admin('PATCH', `/images/${tenant.imageId}`, { not_before: '2100-01-01T00:00:00Z' }),
    ],
    [
      'another layer',
      302,
      () => admin('PATCH', `/overlays/${tenant.overlayId}`, { public_id: randomUUID() }),
    ],
    ['a deleted layer', 404, () => admin('DELETE', `/overlays/${tenant.overlayId}`)],
    [
      'an image deleted by hand',
      410,
      async () => {
        await service.app
          .get(DataSource)
          .query('UPDATE images SET deleted_at = now() WHERE id = $1', [tenant.imageId]);
      },
    ],
  ];

  it.each(changes)('is invalidated by %s', async (_, status, change) => {
    const path = withLayer({ jti: 'a', session_id: 's', iat: Math.floor(Date.now() / 1000) - 60 });
    const before = await fillCache(path);
    await change();
    await waitUntil('the change is known', async () => {
      const { headers, status: now } = await service.image(path);
      return (
        now !== 302 ||
        `${headers.location} ${headers['cache-control']}` !==
          `${before.headers.location} ${before.headers['cache-control']}`
      );
    });
    expect((await expectSame(path)).status).toBe(status);
    // And the next response is cached again, or still refused.
    await service.image(path);
    expect((await expectSame(path)).status).toBe(status);
  });

  it.each<[claim: string, claims: (now: number) => object, at: number, status: number]>([
    ['exp', (now) => ({ exp: now + 100 }), 129, 302],
    ['exp', (now) => ({ exp: now + 100 }), 130, 401],
    ['nbf, the clock set back', (now) => ({ nbf: now }), -30, 302],
    ['nbf, the clock set back', (now) => ({ nbf: now }), -31, 401],
    ['iat, the clock set back', (now) => ({ iat: now }), -31, 401],
  ])('stays within its %s', async (_, claims, at, status) => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const now = Math.floor(Date.now() / 1000);
    const path = withLayer(claims(now));
    await fillCache(path);
    vi.setSystemTime((now + at) * 1000);
    expect((await expectSame(path)).status).toBe(status);
  });

  it('stays within the age that the policy sets, and may not be cached longer', async () => {
    await issuer({ policy: { max_token_age: 100, redirect_cache: 'private' } })();
    vi.useFakeTimers({ toFake: ['Date'] });
    const now = Math.floor(Date.now() / 1000);
    const path = withLayer({ iat: now });
    await fillCache(path);
    vi.setSystemTime((now + 60) * 1000);
    expect((await expectSame(path)).headers['cache-control']).toBe('private, max-age=40');
    expect(isCached(path)).toBe(true);
    vi.setSystemTime((now + 131) * 1000);
    expect((await expectSame(path)).status).toBe(403);
  });

  it('has its own key’s times', async () => {
    const end = Math.floor(Date.now() / 1000) + 600;
    await admin('PATCH', `/issuers/${tenant.issuerId}/keys/${tenant.keyId}`, {
      not_after: new Date(end * 1000).toISOString(),
    });
    vi.useFakeTimers({ toFake: ['Date'] });
    const path = withLayer();
    await fillCache(path);
    vi.setSystemTime(end * 1000 - 1);
    expect((await expectSame(path)).status).toBe(302);
    vi.setSystemTime(end * 1000);
    expect((await expectSame(path)).status).toBe(401);
  });

  it('is invalidated when the key of its kid becomes active, and another one signed it', async () => {
    const begin = Math.floor(Date.now() / 1000) + 600;
    const added = await service.admin('POST', `/issuers/${tenant.issuerId}/keys`, {
      not_before: new Date(begin * 1000).toISOString(),
    });
    const { id: kid } = added.json() as { id: string };
    const token = mint({
      header: { typ: 'JWT', alg: 'HS256', kid },
      payload: { iss: tenant.issuerId },
      key: { secret: createSecretKey(Buffer.from(tenant.secret)) },
    });
    const path = `/images/${tenant.imageId}?token=${token}`;
    for (let times = 0; times < 3; times += 1) expect((await expectSame(path)).status).toBe(302);
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(begin * 1000);
    expect((await expectSame(path)).status).toBe(401);
  });

  it('is deleted once it is invalid', async () => {
    const path = withLayer();
    await fillCache(path);
    const cache = cacheOf(service);
    const { entries } = cache.size;
    await issuer({ disabled: true })();
    expect((await service.image(path)).status).toBe(401);
    expect(cache.size.entries).toBe(entries - 1);
  });
});

describe('a rate limit', () => {
  it.each([
    ['by issuer', { RATE_LIMIT_ISSUER: '4' }, 4],
    // Two requests of the set-up, to the admin API, count for the address too.
    ['by address', { RATE_LIMIT_ADDRESS: '8' }, 5],
  ])('%s counts cached redirects', async (_, variables, allowed) => {
    const limited = await startService(variables);
    try {
      const served = await createTenantOf(limited);
      const statuses = [];
      for (let times = 0; times < allowed + 2; times += 1) {
        statuses.push((await limited.image(served.path())).status);
      }
      expect(statuses).toStrictEqual([...Array.from({ length: allowed }, () => 302), 429, 429]);
    } finally {
      await limited.close();
    }
  });
});

describe('behind a proxy that passes the origin on', () => {
  it('a redirect is cached for its origin', async () => {
    const proxied = await startService({ TRUST_PROXY: '1' });
    try {
      const path = (await createTenantOf(proxied)).path();
      for (const host of ['a.example', 'b.example', 'a.example', 'b.example', 'b.example']) {
        const headers = { 'x-forwarded-host': host, 'x-forwarded-proto': 'https' };
        const { headers: response } = await proxied.image(path, { headers, origin: `https://${host}` });
        expect(response.location).toMatch(new RegExp(`^https://${host.replace('.', '\\.')}/`));
      }
      expect(isCached(path, { protocol: 'https', host: 'b.example' }, proxied)).toBe(true);
      expect(isCached(path, { protocol: 'http', host: 'b.example' }, proxied)).toBe(false);
    } finally {
      await proxied.close();
    }
  });
});
