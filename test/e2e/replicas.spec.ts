import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, onTestFinished } from 'vitest';
import { FIGURE } from '../support/figures.reporter.js';
import { INVALIDATED_CLAIMS, INVALIDATIONS } from '../support/invalidations.js';
import { request } from '../support/http.js';
import {
  findRedis,
  limitKey,
  startRedis,
  waitUntilShared,
  type RedisServer,
} from '../support/redis-server.js';
import { createTenant, post, type Tenant } from '../support/seed.js';
import { startService, TEST_VARIABLES, type Service } from '../support/service.js';
import { ownProcess, type ServiceProcess } from '../support/service-process.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { waitUntil } from '../support/wait-until.js';

// The embedded database belongs to one process.
describe.runIf(inject('database').kind === 'postgres')('three replicas', () => {
  let database: TestDatabase;
  let replicas: Service[];
  let first: Service;
  let tenant: Tenant;

  beforeAll(async () => {
    database = await createTestDatabase();
    first = await startService({}, database);
    replicas = [first, await startService({}, database), await startService({}, database)];
  });
  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.close()));
    await database.drop();
  });
  beforeEach(async () => {
    const name = randomUUID().slice(0, 8);
    tenant = await createTenant(first, { publicId: `image_${name}`, overlayPublicId: `layer_${name}` });
  });

  // One replica's admin API created the rows; the others' models do not have them to check a Location.
  const statuses = (claims: object): Promise<number[]> =>
    Promise.all(replicas.map(async (replica) => (await replica.get(tenant.path({ ...claims }))).status));
  const come = (status: number, claims: object): Promise<void> =>
    waitUntil(`all replicas return ${status}`, async () =>
      (await statuses(claims)).every((each) => each === status),
    );

  it.each(INVALIDATIONS)('all refuse %s', async (_, invalidate) => {
    expect(await statuses(INVALIDATED_CLAIMS)).toStrictEqual([302, 302, 302]);
    expect((await invalidate(first, tenant)).status).toBeLessThan(300);
    // The one that received the write has read its own write.
    expect((await first.get(tenant.path(INVALIDATED_CLAIMS))).status).toBe(401);
    await come(401, INVALIDATED_CLAIMS);
  });

  it('all accept a restored session', async () => {
    const { id } = await post<{ id: string }>(first, `/issuers/${tenant.issuerId}/revocations`, {
      session_id: 'one',
    });
    await come(401, { session_id: 'one' });
    await first.admin('DELETE', `/issuers/${tenant.issuerId}/revocations/${id}`);
    await come(302, { session_id: 'one' });
  });
});

const redis = inject('database').kind === 'postgres' ? findRedis() : null;

describe.runIf(redis !== null)('eight processes with one Redis', () => {
  const LIMIT = 100;
  const REPLICAS = 8;

  async function startReplicas(server: RedisServer): Promise<readonly ServiceProcess[]> {
    const database = await createTestDatabase();
    onTestFinished(() => database.drop());
    const variables = {
      ...TEST_VARIABLES,
      ...database.variables,
      REDIS_URL: server.url,
      RATE_LIMIT_ADDRESS: String(LIMIT),
      TRUST_PROXY: '1',
    };
    const replicas = await Promise.all(Array.from({ length: REPLICAS }, () => ownProcess(variables)));
    for (const [index, replica] of replicas.entries()) {
      const address = `198.51.100.${index}`;
      await waitUntilShared(server, `address:${address}`, () => countAccepted(replica, address, 1));
    }
    return replicas;
  }

  /** Sends concurrent requests, and returns how many the address's rate accepts. */
  async function countAccepted(replica: ServiceProcess, address: string, count: number): Promise<number> {
    const headers = { 'x-forwarded-for': address };
    const responses = await Promise.all(
      Array.from({ length: count }, () => request({ port: replica.port, path: '/nothing', headers })),
    );
    return responses.filter(({ status }) => status === 404).length;
  }

  /** Waits until Redis has received every report, and the replicas its responses. */
  async function reconciled(server: RedisServer, address: string): Promise<void> {
    let last: unknown = null;
    await waitUntil('the shared count does not change', async () => {
      await new Promise((resolve) => setTimeout(resolve, 200));
      const [before, now] = [last, await server.call('GET', limitKey(`address:${address}`))];
      last = now;
      return before === now;
    });
  }

  it('together exceed a rate by at most what each receives in one reconciliation, and in a burst by one allowance each', async ({
    annotate,
  }) => {
    const server = await startRedis(redis ?? '');
    onTestFinished(() => server.stop());
    const replicas = await startReplicas(server);
    const refilled = (since: number): number => ((performance.now() - since) * LIMIT) / 60_000;
    const countAll = async (address: string, count: number): Promise<number> => {
      const counts = await Promise.all(replicas.map((replica) => countAccepted(replica, address, count)));
      return counts.reduce((sum, each) => sum + each, 0);
    };

    // Two requests at each replica between two reconciliations.
    const started = performance.now();
    const each = 2;
    let accepted = 0;
    for (let round = 0; round < (2 * LIMIT) / (REPLICAS * each); round += 1) {
      accepted += await countAll('192.0.2.1', each);
      await reconciled(server, '192.0.2.1');
    }
    const bound = LIMIT + refilled(started) + REPLICAS * each;
    await annotate(`accepted of ${2 * LIMIT}: ${accepted}; bound: ${bound.toFixed(0)}`, FIGURE);
    expect(accepted).toBeGreaterThanOrEqual(LIMIT);
    expect(accepted).toBeLessThanOrEqual(bound);

    // All at once: no replica waits for the others.
    const burst = performance.now();
    const once = await countAll('192.0.2.2', 2 * LIMIT);
    await annotate(`accepted of a burst of ${REPLICAS * 2 * LIMIT}: ${once}`, FIGURE);
    expect(once).toBeGreaterThanOrEqual(LIMIT);
    expect(once).toBeLessThanOrEqual(REPLICAS * (LIMIT + refilled(burst)));
    await reconciled(server, '192.0.2.2');
    // A replica whose report came before those of the others receives the rest with its next one.
    expect(await countAll('192.0.2.2', each)).toBeLessThanOrEqual(REPLICAS * each);
    await reconciled(server, '192.0.2.2');
    expect(await server.call('PTTL', limitKey('address:192.0.2.2'))).toBeGreaterThan(60_000);
  });
});
