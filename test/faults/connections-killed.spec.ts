import { randomUUID } from 'node:crypto';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { FIGURE } from '../support/figures.reporter.js';
import { ownClient, ownDatabase } from '../support/owned.js';
import { createTenant } from '../support/seed.js';
import { startService } from '../support/service.js';
import { waitUntil } from '../support/wait-until.js';

/** Milliseconds in which replicas must recover, with a margin for a busy machine. */
const RECOVERY = 2_000 + 3_000;

// The embedded database has no connection that could be killed.
describe.runIf(inject('database').kind === 'postgres')('three replicas on one Postgres', () => {
  it('survive that all their connections are killed mid-query, and recover within 2 s', async ({
    annotate,
  }) => {
    const database = await ownDatabase();
    const replicas = await Promise.all([1, 2, 3].map(() => startService({}, database)));
    onTestFinished(async () => {
      await Promise.all(replicas.map((replica) => replica.close()));
    });
    const [first] = replicas;
    if (first === undefined) throw new Error('no replica');
    const tenant = await createTenant(first, { publicId: 'killed', overlayPublicId: 'killed_layer' });
    const [operator, blocker] = [await ownClient(database), await ownClient(database)];

    const statusesOf = (path: () => string): Promise<number[]> =>
      Promise.all(replicas.map(async (replica) => (await replica.get(path())).status));
    const cached = (): string => tenant.path();
    const uncached = (): string => `/images/${randomUUID()}?token=${tenant.sign()}`;
    const all = (status: number): number[] => [status, status, status];
    expect(await statusesOf(cached)).toStrictEqual(all(302));

    // A request for an image now waits inside Postgres.
    await blocker.query('BEGIN');
    await blocker.query('LOCK TABLE images');
    const pending = async (): Promise<number> => {
      const { rows } = await operator.query(
        `SELECT FROM pg_stat_activity
          WHERE datname = current_database() AND application_name = 'pixseal' AND wait_event_type = 'Lock'`,
      );
      return rows.length;
    };
    const written = first.admin('PATCH', `/images/${tenant.imageId}`, { version: 7 });
    await waitUntil('a write is pending', async () => (await pending()) === 1);
    const pendingLookups = replicas.flatMap((replica) =>
      Array.from({ length: 20 }, () => replica.get(uncached())),
    );
    await waitUntil('look-ups are pending', async () => (await pending()) > 3);
    await operator.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    const killed = performance.now();

    expect(await statusesOf(cached)).toStrictEqual(all(302));
    // A look-up that is not retried on another connection fails with an error, and never as an unknown image.
    for (const response of await Promise.all(pendingLookups)) expect([404, 503]).toContain(response.status);
    expect((await written).status).toBe(503);
    await waitUntil('all replicas serve uncached look-ups', async () =>
      (await statusesOf(uncached)).every((status) => status === 404),
    );
    const recovered = performance.now() - killed;
    expect(recovered).toBeLessThan(RECOVERY);
    await annotate(
      `all connections killed: uncached look-ups served again after ${recovered.toFixed(0)} ms`,
      FIGURE,
    );

    // Their change feeds are back as well.
    await operator.query('UPDATE issuers SET disabled = true WHERE id = $1', [tenant.issuerId]);
    await waitUntil('all refuse a disabled issuer', async () =>
      (await statusesOf(cached)).every((status) => status === 401),
    );
    expect((await first.get('/health/ready')).status).toBe(200);
  });
});
