import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { FIGURE } from '../support/figures.reporter.js';
import { request, type HttpResponse } from '../support/http.js';
import { createServedImage, ownClient, ownDatabase } from '../support/owned.js';
import { ownProcess } from '../support/service-process.js';
import { TEST_VARIABLES } from '../support/service.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { waitUntil } from '../support/wait-until.js';

/** Milliseconds, longer than the test's `MAX_STALE`, which is in seconds. */
const SLOW_FOR = 6_000;
/** Batches of as many look-ups as a batch may have: together more than may wait at once (2,000). */
const BATCHES = 5;
const ITEMS = 500;
/** Connections of a process: ten in the pool, one that listens. */
const CONNECTIONS = 11;
/** Milliseconds: the second that a look-up may take, with a margin for a busy machine that handles 2,500 of them. */
const BOUND = 1_000 + 3_000;

// The embedded database has no network that could be slow.
describe.runIf(inject('database').kind === 'postgres')('a database that responds after 5 seconds', () => {
  it('is awaited by a bounded number of requests for a bounded time, and cached redirects are not affected', async ({
    annotate,
  }) => {
    const database = await ownDatabase();
    const operator = await ownClient(database);
    const url = database.variables['DATABASE_URL'] ?? '';
    const proxy = await TcpProxy.before(url);
    onTestFinished(() => proxy.close());
    const service = await ownProcess({ ...TEST_VARIABLES, DATABASE_URL: proxy.urlOf(url), MAX_STALE: '60' });
    const image = await createServedImage(service);
    const cached = (): Promise<HttpResponse> => request({ port: service.port, path: image.path() });
    const uncached = (): Promise<HttpResponse> =>
      request({ port: service.port, path: `/images/${randomUUID()}?token=${image.seal()}` });
    // Once all writes have been received, cached rows stay cached.
    await sleep(1_000);
    expect((await cached()).status).toBe(302);

    proxy.slow(2_500);
    const startedAt = performance.now();
    let slowest = 0;
    let served = 0;
    const redirects = (async () => {
      while (performance.now() - startedAt < SLOW_FOR) {
        const started = performance.now();
        expect((await cached()).status).toBe(302);
        slowest = Math.max(slowest, performance.now() - started);
        served += 1;
        await sleep(5);
      }
    })();

    const batches = Array.from({ length: BATCHES }, async () => {
      const deliveries = Array.from({ length: ITEMS }, () => ({
        image_id: randomUUID(),
        token: image.seal(),
      }));
      const response = await request({
        port: service.port,
        path: '/deliveries',
        method: 'POST',
        body: { deliveries },
      });
      return { response, took: performance.now() - startedAt };
    });
    for (const { response, took } of await Promise.all(batches)) {
      expect(took).toBeLessThan(BOUND);
      const items = (response.json() as { deliveries: { problem?: { code: string } }[] }).deliveries;
      expect(items.map(({ problem }) => problem?.code)).toStrictEqual(
        items.map(() => 'database_unavailable'),
      );
    }
    // A new request does not wait at all, and the server gets no query.
    let longest = 0;
    while (performance.now() - startedAt < SLOW_FOR - 1_000) {
      const started = performance.now();
      const response = await uncached();
      expect([response.status, response.headers['retry-after']]).toStrictEqual([503, '1']);
      longest = Math.max(longest, performance.now() - started);
      const { rows } = await operator.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
      );
      expect(rows.length).toBeLessThanOrEqual(2 * CONNECTIONS);
      await sleep(50);
    }
    await redirects;
    expect(longest).toBeLessThan(BOUND);
    expect(slowest).toBeLessThan(BOUND);
    expect(served).toBeGreaterThan(50);

    proxy.restore();
    await waitUntil('uncached look-ups are served', async () => (await uncached()).status === 404);
    await annotate(
      `database slow by 5 s: ${served} warm redirects meanwhile, the slowest ${slowest.toFixed(0)} ms, cold ones 503 after ${longest.toFixed(0)} ms at most`,
      FIGURE,
    );
  });
});
