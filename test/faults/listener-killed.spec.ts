import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { INVALIDATED_CLAIMS, INVALIDATIONS } from '../support/invalidations.js';
import { FIGURE } from '../support/figures.reporter.js';
import { createTenant, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { waitUntil } from '../support/wait-until.js';

/** Milliseconds within which every replica refuses a revoked token without a notification, with a margin for a busy machine. */
const BOUND = 2_000 + 3_000;

// The embedded database has one connection, and it is the process's own.
describe.runIf(inject('database').kind === 'postgres')('replicas whose listeners are killed', () => {
  let database: TestDatabase;
  let operator: pg.Client;
  let replicas: Service[];
  let first: Service;
  let tenant: Tenant;

  beforeAll(async () => {
    database = await createTestDatabase();
    operator = new pg.Client({ connectionString: database.variables['DATABASE_URL'] });
    await operator.connect();
    first = await startService({}, database);
    replicas = [first, await startService({}, database), await startService({}, database)];
  });
  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.close()));
    await operator.end();
    await database.drop();
  });
  beforeEach(async () => {
    const name = randomUUID().slice(0, 8);
    tenant = await createTenant(first, { publicId: `image_${name}`, overlayPublicId: `layer_${name}` });
    await waitUntil('all listen', async () => (await listeners()).length === replicas.length);
  });

  async function listeners(): Promise<readonly number[]> {
    const { rows } = await operator.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'pixseal change feed' AND query LIKE 'SELECT %'`,
    );
    return rows.map(({ pid }) => pid);
  }

  async function killListeners(): Promise<number> {
    const { rowCount } = await operator.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'pixseal change feed'`,
    );
    return rowCount ?? 0;
  }

  const statuses = (): Promise<number[]> =>
    Promise.all(replicas.map(async (replica) => (await replica.get(tenant.path(INVALIDATED_CLAIMS))).status));
  const allRefuse = (): Promise<void> =>
    waitUntil('all replicas refuse', async () => (await statuses()).every((status) => status === 401));

  it.for(INVALIDATIONS)('all refuse %s within the bound', async ([name, invalidate], { annotate }) => {
    expect(await statuses()).toStrictEqual([302, 302, 302]);
    expect(await killListeners()).toBe(replicas.length);
    expect((await invalidate(first, tenant)).status).toBeLessThan(300);
    const ended = performance.now();
    // A listener that reconnected quickly has received no notification either.
    await killListeners();
    await allRefuse();
    const took = performance.now() - ended;
    expect(took).toBeLessThan(BOUND);
    await annotate(`listeners killed, ${name} ended: all refuse after ${took.toFixed(0)} ms`, FIGURE);
  });

  it('reconnect, and miss no change that was made by hand meanwhile', async () => {
    const killed = await listeners();
    expect(await statuses()).toStrictEqual([302, 302, 302]);
    await killListeners();
    await operator.query('UPDATE issuers SET disabled = true WHERE id = $1', [tenant.issuerId]);
    await allRefuse();
    await waitUntil('all listen', async () => (await listeners()).length === replicas.length);
    expect((await listeners()).filter((pid) => killed.includes(pid))).toStrictEqual([]);
    // With the listeners connected, rows are cached for a minute: this change is received.
    await operator.query('UPDATE issuers SET disabled = false WHERE id = $1', [tenant.issuerId]);
    await waitUntil('all accept', async () => (await statuses()).every((status) => status === 302));
  });
});
