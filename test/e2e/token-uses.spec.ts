import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, onTestFinished } from 'vitest';
import { Counters } from '../../src/directory/counters/counters.js';
import { CounterUnavailableError } from '../../src/directory/counters/counter.errors.js';
import {
  type AccountHost,
  PICTURE,
  type ReceivedView,
  sendPicture,
  startAccountHost,
  view,
} from '../support/account-host.js';
import { request } from '../support/http.js';
import { findRedis, startRedis } from '../support/redis-server.js';
import { createRandomTenant, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';
import { createTestDatabase } from '../support/test-database.js';
import { waitUntil } from '../support/wait-until.js';

const redis = findRedis();
const PROXY = { DELIVERY_MODE: 'cloudinary', PROXY: 'on' };

let host: AccountHost;
let service: Service;
let tenant: Tenant;

beforeAll(async () => {
  host = await startAccountHost();
  service = await startService({ ...PROXY, PROXY_UPSTREAM: host.origin });
});
afterAll(async () => {
  await service.close();
  await host.close();
});
beforeEach(async () => {
  host.answer(sendPicture);
  tenant = await createProxied(service);
});

async function createProxied(at: Service): Promise<Tenant> {
  const created = await createRandomTenant(at);
  const policy = { delivery: 'proxy' };
  expect((await at.admin('PATCH', `/issuers/${created.issuerId}`, { policy })).status).toBe(200);
  return created;
}

/** The path of a new token with this many uses. */
const limited = (of: Tenant, uses: number, claims: object = {}): string =>
  of.path({ max_uses: uses, jti: randomUUID(), exp: Math.floor(Date.now() / 1000) + 600, ...claims });

const show = (path: string, options?: Parameters<typeof view>[2], at = service): Promise<ReceivedView> =>
  view(at.port, path, options);

const codeOf = ({ body }: ReceivedView): string => (JSON.parse(body.toString()) as { code: string }).code;

describe('a token with max_uses', () => {
  it('opens its image that often, and is then refused with 401', async () => {
    const path = limited(tenant, 2);
    for (let use = 0; use < 2; use += 1) {
      const { status, body } = await show(path);
      expect(status).toBe(200);
      expect(body.equals(PICTURE)).toBe(true);
    }
    const refused = await show(path);
    expect([refused.status, codeOf(refused)]).toStrictEqual([401, 'invalid_token']);
    expect(refused.body.toString()).toContain('has been used as often as its `max_uses` allows');
    expect(refused.headers['cache-control']).toBe('no-cache, no-store');
    // Another token of the same image is not affected.
    expect((await show(limited(tenant, 1))).status).toBe(200);
    expect((await show(tenant.path())).status).toBe(200);
  });

  it('counts responses with bytes, ranges too, and neither HEAD nor 304', async () => {
    const path = limited(tenant, 2);
    expect((await show(path, { method: 'HEAD' })).status).toBe(200);
    expect((await show(path)).status).toBe(200);
    for (let index = 0; index < 3; index += 1) {
      expect((await show(path, { method: 'HEAD' })).status).toBe(200);
      expect((await show(path, { headers: { 'If-None-Match': '"picture-1"' } })).status).toBe(304);
    }
    expect((await show(path, { headers: { Range: 'bytes=9999-' } })).status).toBe(416);
    expect((await show(path, { headers: { Range: 'bytes=0-9' } })).status).toBe(206);
    expect((await show(path, { headers: { Range: 'bytes=0-9' } })).status).toBe(401);
    expect((await show(path, { headers: { 'If-None-Match': '"picture-1"' } })).status).toBe(304);
  });

  it('counts a part of the image, and no failure of the account’s host', async () => {
    const path = limited(tenant, 1);
    host.answer((_, response) => response.writeHead(500).end());
    expect((await show(path)).status).toBe(502);
    host.answer(sendPicture);
    expect((await show(path, { headers: { Range: 'bytes=0-9' } })).status).toBe(206);
    expect((await show(path, { headers: { Range: 'bytes=0-9' } })).status).toBe(401);
  });

  it('is counted once for many requests at once', async () => {
    const path = limited(tenant, 5);
    const statuses = (await Promise.all(Array.from({ length: 30 }, () => show(path)))).map(
      ({ status }) => status,
    );
    expect(statuses.filter((status) => status === 200)).toHaveLength(5);
    expect(statuses.filter((status) => status === 401)).toHaveLength(25);
  });

  it('is not used by explanations and deliveries, which contain no signed URL', async () => {
    const path = limited(tenant, 1);
    const token = new URL(path, 'http://x').searchParams.get('token');
    for (let index = 0; index < 2; index += 1) {
      const explained = await service.get(path.replace('?', '/explain?'));
      expect(explained.status).toBe(200);
      expect(explained.text).not.toContain('s--');
      const delivered = await request({
        port: service.port,
        path: '/deliveries',
        method: 'POST',
        body: { deliveries: [{ image_id: tenant.imageId, token }] },
      });
      expect(delivered.status).toBe(200);
      expect(delivered.text).not.toContain('s--');
    }
    expect((await show(path)).status).toBe(200);
    expect((await show(path)).status).toBe(401);
  });

  it('is refused with 503, and not free, while its uses cannot be counted', async () => {
    const path = limited(tenant, 3);
    expect((await show(path)).status).toBe(200);
    const counters = service.app.get(Counters);
    const count = counters.countUse.bind(counters);
    counters.countUse = () => Promise.reject(new CounterUnavailableError());
    try {
      const refused = await show(path);
      expect([refused.status, codeOf(refused)]).toStrictEqual([503, 'counter_unavailable']);
      expect(refused.headers['retry-after']).toBe('1');
      expect((await show(tenant.path())).status).toBe(200);
    } finally {
      counters.countUse = count;
    }
    expect((await show(path)).status).toBe(200);
  });

  it('is refused where images are not proxied, or without jti and exp', async () => {
    await service.admin('PATCH', `/issuers/${tenant.issuerId}`, { policy: {} });
    const refused = await show(limited(tenant, 1));
    expect(JSON.parse(refused.body.toString())).toMatchObject({
      status: 403,
      code: 'policy_violation',
      rule: 'delivery',
      limit: 'redirect',
    });
    for (const claims of [{ jti: undefined }, { exp: undefined }, { max_uses: 0 }, { max_uses: '1' }]) {
      const malformed = await show(limited(tenant, 1, claims));
      expect([malformed.status, codeOf(malformed)]).toStrictEqual([401, 'invalid_token']);
    }
  });
});

// The embedded database belongs to one process.
describe.runIf(inject('database').kind === 'postgres')('three replicas', () => {
  it.each(['the database', ...(redis === null ? [] : ['Redis'])])(
    'count uses together in %s',
    async (store) => {
      const database = await createTestDatabase();
      onTestFinished(() => database.drop());
      const server = store === 'Redis' ? await startRedis(redis ?? '') : null;
      if (server !== null) onTestFinished(() => server.stop());
      const variables = {
        ...PROXY,
        PROXY_UPSTREAM: host.origin,
        ...(server === null ? {} : { REDIS_URL: server.url }),
      };
      const replicas: Service[] = [];
      for (let index = 0; index < 3; index += 1) {
        const replica = await startService(variables, database);
        onTestFinished(() => replica.close());
        replicas.push(replica);
      }
      const [first] = replicas;
      if (first === undefined) return;
      const own = await createProxied(first);
      for (const replica of replicas) {
        await waitUntil(
          'uses are counted',
          async () => (await show(limited(own, 1), {}, replica)).status === 200,
        );
      }
      const path = limited(own, 10);
      const received = await Promise.all(
        Array.from({ length: 20 }).flatMap(() => replicas.map((replica) => show(path, {}, replica))),
      );
      expect(received.filter(({ status }) => status === 200)).toHaveLength(10);
      expect(received.filter(({ status }) => status === 401)).toHaveLength(50);
      if (server === null) return;
      await server.stop();
      const refused = await show(limited(own, 1), {}, first);
      expect([refused.status, codeOf(refused)]).toStrictEqual([503, 'counter_unavailable']);
    },
  );
});
