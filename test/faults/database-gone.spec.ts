import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { DirectoryService } from '../../src/directory/directory.service.js';
import { FIGURE } from '../support/figures.reporter.js';
import type { HttpResponse } from '../support/http.js';
import { createTenant, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { waitUntil } from '../support/wait-until.js';

/** Seconds for which cached rows are served. */
const MAX_STALE = 4;
/** Seconds: a heartbeat and its timeout before the loss, with a margin for a busy machine. */
const SLACK = 3;
/** Milliseconds in which an uncached request must get its 503, with a margin for a busy machine. */
const UNCACHED_RESPONSE = 1_000 + 500;

// The embedded database has no connection that could be lost.
describe.runIf(inject('database').kind === 'postgres')('a service whose database is unavailable', () => {
  let database: TestDatabase;
  let sql: pg.Client;
  let proxy: TcpProxy;
  let service: Service;
  let tenant: Tenant;

  beforeAll(async () => {
    database = await createTestDatabase();
    sql = new pg.Client({ connectionString: database.variables['DATABASE_URL'] });
    await sql.connect();
  });
  afterAll(async () => {
    await sql.end();
    await database.drop();
  });
  beforeEach(async () => {
    const url = database.variables['DATABASE_URL'] ?? '';
    proxy = await TcpProxy.before(url);
    service = await startService({ DATABASE_URL: proxy.urlOf(url), MAX_STALE: String(MAX_STALE) }, database);
    const name = randomUUID().slice(0, 8);
    tenant = await createTenant(service, { publicId: `image_${name}`, overlayPublicId: `layer_${name}` });
    await receiveAll();
    expect((await cached()).status).toBe(302);
  });
  afterEach(async () => {
    proxy.restore();
    proxy.reset();
    await service.close();
    await proxy.close();
  });

  /** Waits until the service has received all writes: it would evict cached rows otherwise. */
  async function receiveAll(): Promise<void> {
    const written = performance.now();
    const received = vi.spyOn(service.app.get(DirectoryService), 'onHeartbeat');
    await waitUntil('all writes were received', () => received.mock.calls.some(([at]) => at > written));
    received.mockRestore();
  }

  const cached = (): Promise<HttpResponse> =>
    service.image(tenant.path({ transformations: [{ overlay: tenant.overlayId }], jti: 'one' }));
  const uncached = (): Promise<HttpResponse> => service.get(`/images/${randomUUID()}?token=${tenant.sign()}`);
  const ready = (): Promise<HttpResponse> => service.get('/health/ready');

  /** @returns the milliseconds that the 503 took. */
  async function expectUnavailable(request: () => Promise<HttpResponse>): Promise<number> {
    const startedAt = performance.now();
    const response = await request();
    expect(response.json()).toMatchObject({ status: 503, code: 'database_unavailable' });
    expect(response.headers['retry-after']).toBe('1');
    const took = performance.now() - startedAt;
    expect(took).toBeLessThan(UNCACHED_RESPONSE);
    return took;
  }

  const FAULTS: readonly (readonly [name: string, cause: () => void])[] = [
    ['the database refuses connections', () => { proxy.refuse(); }],
    ['the network loses every byte', () => { proxy.lose(); }],
    ['the database responds after 5 seconds', () => { proxy.slow(2_500); }],
  ]; // prettier-ignore

  it.for(FAULTS)(
    'serves cached rows, and returns 503 for the rest, when %s',
    async ([name, cause], { annotate }) => {
      cause();
      const startedAt = performance.now();
      const first = await expectUnavailable(uncached);
      const until = startedAt + 1_000 * (MAX_STALE - 2);
      while (performance.now() < until) {
        expect((await cached()).status).toBe(302);
        await expectUnavailable(uncached);
      }
      const stale = await ready();
      expect([stale.status, stale.json()]).toStrictEqual([200, { status: 'stale' }]);
      // The response is neither that of an unknown issuer nor that of an unknown image.
      await expectUnavailable(() => service.get(`/images/${randomUUID()}`));

      await waitUntil('the bound is passed', async () => (await cached()).status === 503);
      const servedFor = performance.now() - startedAt;
      expect(servedFor).toBeLessThan(1_000 * (MAX_STALE + SLACK));
      await waitUntil('it is no longer ready', async () => (await ready()).status === 503);
      expect((await ready()).json()).toMatchObject({ code: 'not_ready' });
      expect((await service.get('/health/live')).status).toBe(200);
      await expectUnavailable(cached);
      await expectUnavailable(uncached);

      proxy.restore();
      const restored = performance.now();
      await waitUntil('it has recovered', async () => (await uncached()).status === 404);
      const recovered = performance.now() - restored;
      await waitUntil('cached rows are served', async () => (await cached()).status === 302);
      await waitUntil('it is ready', async () => (await ready()).text === '{"status":"ok"}');
      await annotate(
        `${name}: first 503 after ${first.toFixed(0)} ms, warm served for ${servedFor.toFixed(0)} ms with MAX_STALE=${MAX_STALE}, cold look-ups again ${recovered.toFixed(0)} ms after its return`,
        FIGURE,
      );
    },
  );

  it('delivers pictures that it knows under a budget, and no new ones', async () => {
    const policy = { new_pictures_per_day: 100 };
    await service.admin('PATCH', `/issuers/${tenant.issuerId}`, { policy });
    const known = (): Promise<HttpResponse> => service.image(tenant.steps({ width: 1 }));
    expect((await known()).status).toBe(302);
    await receiveAll();
    expect((await known()).status).toBe(302);
    proxy.refuse();
    await expectUnavailable(() => service.image(tenant.steps({ width: 2 })));
    expect((await known()).status).toBe(302);
    proxy.restore();
    await waitUntil('new pictures are counted', async () => {
      return (await service.image(tenant.steps({ width: 2 }))).status === 302;
    });
  });

  it('does not serve rows that it knows to be changed', async () => {
    await service.admin('PATCH', `/issuers/${tenant.issuerId}`, { disabled: true });
    proxy.refuse();
    await expectUnavailable(cached);
  });

  it('survives if an accepted token’s revocations have to be looked up and cannot be', async () => {
    expect((await cached()).status).toBe(302);
    const other = await service.admin('POST', `/issuers/${tenant.issuerId}/revocations`, { jti: 'another' });
    expect(other.status).toBe(201);
    await receiveAll();
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    proxy.refuse();
    await expectUnavailable(cached);
    await expectUnavailable(cached);
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
    proxy.restore();
    await waitUntil('it is served again', async () => (await cached()).status === 302);
  });

  it('receives changes that were made while it was disconnected', async () => {
    proxy.refuse();
    await expectUnavailable(uncached);
    await sql.query(`INSERT INTO revocations (id, issuer_id, kind, value) VALUES ($1, $2, 'token', 'one')`, [
      randomUUID(), tenant.issuerId,
    ]); // prettier-ignore
    expect((await cached()).status).toBe(302);
    proxy.restore();
    await waitUntil(
      'the token is refused',
      async () => (await service.get(tenant.path({ jti: 'one' }))).status === 401,
    );
  });

  it('returns 503 to admin requests, and carries them out once the database is back', async () => {
    proxy.refuse();
    await expectUnavailable(() => service.admin('GET', '/issuers'));
    await expectUnavailable(() => service.admin('POST', '/issuers', { name: 'x' }));
    proxy.restore();
    await waitUntil(
      'it works',
      async () => (await service.admin('POST', '/issuers', { name: 'x' })).status === 201,
    );
  });

  it('receives a revocation although its connections died silently', async () => {
    proxy.lose();
    proxy.restore();
    await sql.query(`INSERT INTO revocations (id, issuer_id, kind, value) VALUES ($1, $2, 'token', 'one')`, [
      randomUUID(), tenant.issuerId,
    ]); // prettier-ignore
    await waitUntil(
      'the token is refused',
      async () => (await service.get(tenant.path({ jti: 'one' }))).status === 401,
    );
    await waitUntil('uncached look-ups are served', async () => (await uncached()).status === 404);
  });

  it('tolerates connections that are reset while idle', async () => {
    proxy.reset();
    await waitUntil('uncached look-ups are served', async () => (await uncached()).status === 404);
    expect((await cached()).status).toBe(302);
  });
});
