import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, onTestFinished, vi } from 'vitest';
import { Counters } from '../../src/directory/counters/counters.js';
import { findRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { request, type HttpResponse } from '../support/http.js';
import { readMetrics, sumOf } from '../support/metrics.js';
import { createTenant, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';
import { createTestDatabase } from '../support/test-database.js';
import { waitUntil } from '../support/wait-until.js';

const redis = findRedis();

let service: Service;
let tenant: Tenant;
let names = 0;

beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());
beforeEach(async () => {
  tenant = await createBudgeted(service, 2);
});

async function createBudgeted(at: Service, budget: number, access?: 'public'): Promise<Tenant> {
  const name = `budget_${++names}`;
  const of = { publicId: name, overlayPublicId: `${name}_layer` };
  const created = await createTenant(at, access === undefined ? of : { ...of, access });
  await setBudget(at, created, budget);
  return created;
}

async function setBudget(at: Service, { issuerId }: Tenant, budget: number | null): Promise<void> {
  const policy = budget === null ? {} : { new_pictures_per_day: budget };
  expect((await at.admin('PATCH', `/issuers/${issuerId}`, { policy })).status).toBe(200);
}

const width = (of: Tenant, pixels: number): string => of.steps({ width: pixels });

const statusOf = async (path: string, at = service): Promise<number> => (await at.image(path)).status;

function expectSpent(received: HttpResponse, limit: number): void {
  expect(received.status).toBe(429);
  const { retry_after: seconds, ...body } = received.json() as { retry_after: number };
  expect(body).toStrictEqual({
    type: 'about:blank',
    title: 'Too Many Requests',
    status: 429,
    code: 'picture_budget_spent',
    detail: expect.stringMatching(/^The issuer’s \d+ new pictures of this day \(UTC\) are spent\./) as string,
    limit,
  });
  expect(received.headers['retry-after']).toBe(String(seconds));
  const midnight = new Date().setUTCHours(24, 0, 0, 0);
  expect(Math.abs(midnight / 1000 - Date.now() / 1000 - seconds)).toBeLessThanOrEqual(2);
}

describe('a budget of new pictures', () => {
  it('refuses further new ones with 429 until midnight in UTC, and delivers known ones', async () => {
    expect(await statusOf(width(tenant, 1))).toBe(302);
    expect(await statusOf(width(tenant, 2))).toBe(302);
    const refused = await service.image(width(tenant, 3));
    expectSpent(refused, 2);
    expect(refused.headers['cache-control']).toBe('no-cache, no-store');
    // The same pictures by other tokens, with other claims, are known.
    for (const claims of [{ jti: 'x' }, { exp: 4_000_000_000 }, { image_id: tenant.imageId }]) {
      expect(await statusOf(tenant.path({ ...claims, transformations: [{ width: 2 }] }))).toBe(302);
    }
    expect(await statusOf(width(tenant, 1))).toBe(302);
    expectSpent(await service.image(width(tenant, 3)), 2);

    // A raised budget applies at once, another issuer's is its own, and without one nothing is counted.
    await setBudget(service, tenant, 3);
    expect(await statusOf(width(tenant, 3))).toBe(302);
    expectSpent(await service.image(width(tenant, 4)), 3);
    const other = await createBudgeted(service, 1);
    expect(await statusOf(width(other, 4))).toBe(302);
    await setBudget(service, tenant, null);
    expect(await statusOf(width(tenant, 4))).toBe(302);
  });

  it('counts explanations and deliveries, which contain signed URLs', async () => {
    expect((await service.get(width(tenant, 1).replace('?', '/explain?'))).status).toBe(200);
    const tokens = [2, 3].map((pixels) => tenant.sign({ transformations: [{ width: pixels }] }));
    const deliver = async (): Promise<unknown[]> => {
      const response = await request({
        port: service.port,
        path: '/deliveries',
        method: 'POST',
        body: { deliveries: tokens.map((token) => ({ image_id: tenant.imageId, token })) },
      });
      const { deliveries } = response.json() as {
        deliveries: { url?: string; problem?: { code: string } }[];
      };
      return deliveries.map(({ url, problem }) => problem?.code ?? typeof url);
    };
    expect((await deliver()).toSorted()).toStrictEqual(['picture_budget_spent', 'string']);
    expectSpent(await service.get(width(tenant, 5).replace('?', '/explain?')), 2);
    expect(await statusOf(width(tenant, 1))).toBe(302);
  });

  it('counts sizes of public images', async () => {
    const shown = await createBudgeted(service, 2, 'public');
    const path = `/images/${shown.imageId}`;
    expect(await statusOf(path)).toBe(302);
    expect(await statusOf(`${path}?width=5`)).toBe(302);
    expectSpent(await service.image(`${path}?width=6`), 2);
    expect(await statusOf(`${path}?width=5`)).toBe(302);
  });

  it('is not spent by requests that are refused for another reason', async () => {
    for (const step of [{ width: 0 }, { overlay: tenant.imageId }, { widht: 1 }]) {
      expect(await statusOf(tenant.steps(step))).toBeGreaterThanOrEqual(400);
    }
    expect(await statusOf(`${width(tenant, 5).slice(0, -4)}AAAA`)).toBe(401);
    expect(await statusOf(width(tenant, 1))).toBe(302);
    expect(await statusOf(width(tenant, 2))).toBe(302);
  });

  it('has a metric of new pictures: each once, of issuers with a budget', async () => {
    const count = async (): Promise<number> =>
      sumOf(await readMetrics(service.port), 'pixseal_new_pictures_total');
    const before = await count();
    await Promise.all(Array.from({ length: 5 }, () => service.image(width(tenant, 1))));
    await service.image(width(tenant, 2));
    expectSpent(await service.image(width(tenant, 3)), 2);
    await setBudget(service, tenant, null);
    await service.image(width(tenant, 4));
    expect((await count()) - before).toBe(2);
  });

  it('costs a known picture, cached or not, no query', async () => {
    const path = width(tenant, 1);
    expect(await statusOf(path)).toBe(302);
    const pay = vi.spyOn(service.app.get(Counters), 'payPicture');
    onTestFinished(() => {
      pay.mockRestore();
    });
    for (let index = 0; index < 5; index += 1) expect(await statusOf(path)).toBe(302);
    expect(await statusOf(tenant.path({ jti: 'new', transformations: [{ width: 1 }] }))).toBe(302);
    expect(pay).not.toHaveBeenCalled();
    expect(await statusOf(width(tenant, 2))).toBe(302);
    expect(pay).toHaveBeenCalledOnce();
  });

  it('knows pictures after a restart', async () => {
    const database = await createTestDatabase();
    onTestFinished(() => database.drop());
    const first = await startService({}, database);
    const own = await createBudgeted(first, 1);
    expect((await first.get(width(own, 1))).status).toBe(302);
    await first.close();
    const second = await startService({}, database);
    onTestFinished(() => second.close());
    expect((await second.get(width(own, 1))).status).toBe(302);
    expectSpent(await second.get(width(own, 2)), 1);
  });
});

// The embedded database belongs to one process.
describe.runIf(inject('database').kind === 'postgres')('a budget of three replicas', () => {
  async function startReplicas(variables: Readonly<Record<string, string>>): Promise<readonly Service[]> {
    const database = await createTestDatabase();
    onTestFinished(() => database.drop());
    const replicas: Service[] = [];
    for (let index = 0; index < 3; index += 1) {
      const replica = await startService(variables, database);
      onTestFinished(() => replica.close());
      replicas.push(replica);
    }
    return replicas;
  }

  async function expectExact(replicas: readonly Service[]): Promise<void> {
    const [first] = replicas;
    if (first === undefined) return;
    const own = await createBudgeted(first, 20);
    const responses = await Promise.all(
      Array.from({ length: 50 }, (_, index) => width(own, index + 1)).flatMap((path) =>
        replicas.map(async (replica) => ({ path, status: (await replica.get(path)).status })),
      ),
    );
    const delivered = new Set(responses.filter(({ status }) => status === 302).map(({ path }) => path));
    expect(new Set(responses.map(({ status }) => status))).toStrictEqual(new Set([302, 429]));
    expect(delivered.size).toBe(20);
    for (const path of delivered) {
      for (const replica of replicas) expect((await replica.get(path)).status).toBe(302);
    }
  }

  it('is never exceeded, with counts in the database', async () => {
    await expectExact(await startReplicas({}));
  });

  it.runIf(redis !== null)('is never exceeded, with counts in Redis', async () => {
    const server = await startRedis(redis ?? '');
    onTestFinished(() => server.stop());
    const replicas = await startReplicas({ REDIS_URL: server.url });
    await allCount(replicas);
    await expectExact(replicas);
  });

  /** Waits until every replica is connected to Redis. */
  async function allCount(replicas: readonly Service[]): Promise<void> {
    for (const replica of replicas) {
      const probe = await createBudgeted(replica, 100);
      await waitUntil('pictures are counted', async () => (await replica.get(probe.path())).status === 302);
    }
  }

  it.runIf(redis !== null)(
    'refuses new pictures with 503 while Redis is unavailable, and delivers known ones and those of issuers without a budget',
    async () => {
      let server: RedisServer = await startRedis(redis ?? '');
      onTestFinished(() => server.stop());
      const [replica] = await startReplicas({ REDIS_URL: server.url });
      if (replica === undefined) return;
      await allCount([replica]);
      const own = await createBudgeted(replica, 100);
      const unlimited = await createBudgeted(replica, 100);
      await setBudget(replica, unlimited, null);
      expect((await replica.get(width(own, 1))).status).toBe(302);
      await server.stop();
      const refused = await replica.get(width(own, 2));
      expect(refused.json()).toMatchObject({ status: 503, code: 'counter_unavailable' });
      expect(refused.headers['retry-after']).toBe('1');
      expect((await replica.get(width(own, 1))).status).toBe(302);
      expect((await replica.get(width(unlimited, 2))).status).toBe(302);
      expect((await replica.get('/health/ready')).status).toBe(200);
      server = await startRedis(redis ?? '', server.port);
      await waitUntil('pictures are counted again', async () => {
        return (await replica.get(width(own, 2))).status === 302;
      });
    },
  );
});
