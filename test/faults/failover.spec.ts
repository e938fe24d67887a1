import pg from 'pg';
import { DataSource } from 'typeorm';
import { afterEach, beforeEach, describe, expect, inject, it, onTestFinished } from 'vitest';
import { readDatabaseSettings } from '../../src/platform/config/environment.js';
import { createDataSource } from '../../src/platform/database/data-source.js';
import { migrateUnderLock } from '../../src/platform/database/migrate.js';
import { ChangeFeed } from '../../src/platform/database/change-feed.js';
import { FIGURE } from '../support/figures.reporter.js';
import { findPgbouncer, startPgbouncer } from '../support/pgbouncer.js';
import { createTenant, type Tenant } from '../support/seed.js';
import {
  findPostgresBinaries,
  startPostgres,
  startReplica,
  type PostgresReplica,
  type PostgresServer,
} from '../support/postgres-server.js';
import { startService, type Service } from '../support/service.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { waitUntil } from '../support/wait-until.js';

const binaries = inject('database').kind === 'postgres' ? findPostgresBinaries() : null;

const pgbouncer = inject('database').kind === 'postgres' ? findPgbouncer() : null;

/** A token of a redirect that is cached. */
const CACHED = { jti: 'cached' };

describe.runIf(binaries !== null)('a failover to a streaming replica', () => {
  let primary: PostgresServer;
  let replica: PostgresReplica;
  beforeEach(async () => {
    const found = binaries ?? { bin: '' };
    primary = await startPostgres(found);
    await migrate(primary.url);
    replica = await startReplica(primary);
  }, 60_000);
  afterEach(async () => {
    await Promise.all([replica.stop(), primary.stop()]);
  });

  async function migrate(url: string): Promise<void> {
    const dataSource = await createDataSource(readDatabaseSettings({ DATABASE_URL: url }));
    await dataSource.initialize();
    await migrateUnderLock(dataSource);
    await dataSource.destroy();
  }

  /** The URL of these servers, in this order. */
  const urlOf = (...servers: readonly PostgresServer[]): string => {
    const hosts = servers.map(({ url }) => new URL(url).host).join(',');
    return `postgres://postgres@${hosts}/postgres?target_session_attrs=read-write`;
  };

  async function ownService(url: string, variables: Readonly<Record<string, string>> = {}): Promise<Service> {
    const service = await startService(
      { ...variables, DATABASE_URL: url },
      { variables: {}, drop: () => Promise.resolve() },
    );
    onTestFinished(() => service.close());
    return service;
  }

  /** Runs a query at one server, as an operator does. */
  async function queryAt<Row extends object>(server: PostgresServer, text: string): Promise<Row[]> {
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    try {
      return (await client.query<Row & pg.QueryResultRow>(text)).rows;
    } finally {
      await client.end();
    }
  }

  /** Waits until the replica has every change of the primary. */
  const replicated = (): Promise<void> =>
    waitUntil('the replica has every change', async () => {
      const [row] = await queryAt<{ equal: boolean }>(
        primary,
        'SELECT coalesce(bool_and(replay_lsn = pg_current_wal_lsn()), false) AS equal FROM pg_stat_replication',
      );
      return row?.equal === true;
    });

  const feedOf = (service: Service): ChangeFeed => service.app.get(ChangeFeed);
  const isLive = (service: Service): boolean => feedOf(service).isLive;

  /** A tenant whose redirect is cached, and whose rows are replicated. */
  async function cachedTenant(service: Service): Promise<Tenant> {
    const tenant = await createTenant(service, { publicId: 'image', overlayPublicId: 'layer' });
    const written = performance.now();
    // A change that is received later evicts the row.
    await waitUntil(
      'its changes are received',
      () => performance.now() - feedOf(service).silentFor > written,
    );
    for (let turn = 0; turn < 2; turn += 1) expect((await service.get(tenant.path(CACHED))).status).toBe(302);
    await replicated();
    return tenant;
  }

  /** Requests redirects, and writes of another issuer, without a pause, until stopped. */
  async function load(
    service: Service,
    tenant: Tenant,
  ): Promise<() => Promise<Readonly<Record<string, readonly number[]>>>> {
    const other = await service.admin('POST', '/issuers', { name: 'Other' });
    const { id } = other.json() as { id: string };
    const seen = { redirects: new Set<number>(), writes: new Set<number>() };
    const run = { stopped: false };
    const repeat = async (statuses: Set<number>, send: () => Promise<{ status: number }>): Promise<void> => {
      while (!run.stopped) statuses.add((await send()).status);
    };
    const ended = Promise.all([
      repeat(seen.redirects, () => service.get(tenant.path(CACHED))),
      repeat(seen.writes, () => service.admin('PATCH', `/issuers/${id}`, { name: 'Renamed' })),
    ]);
    return async () => {
      run.stopped = true;
      await ended;
      return { redirects: [...seen.redirects], writes: [...seen.writes].sort() };
    };
  }

  /** Writes over the admin API resume, and changes by any client reach the cache. */
  async function expectResumed(service: Service, tenant: Tenant, at: PostgresServer): Promise<void> {
    const rename = (): Promise<{ status: number }> =>
      service.admin('PATCH', `/issuers/${tenant.issuerId}`, { name: 'After' });
    await waitUntil('writes resume', async () => (await rename()).status === 200);
    await waitUntil('the feed is live', () => isLive(service));
    const names = await queryAt<{ name: string }>(
      at,
      `SELECT name FROM issuers WHERE id = '${tenant.issuerId}'`,
    );
    expect(names).toStrictEqual([{ name: 'After' }]);
    // All connections lead to the same server.
    const dataSource = service.app.get(DataSource);
    const used = await Promise.all(
      Array.from({ length: 5 }, () =>
        dataSource.query<{ port: number }[]>('SELECT inet_server_port() AS port, pg_sleep(0.1)'),
      ),
    );
    expect(new Set(used.map(([row]) => row?.port))).toStrictEqual(new Set([Number(new URL(at.url).port)]));

    expect((await service.get(tenant.path(CACHED))).status).toBe(302);
    await queryAt(at, `UPDATE issuers SET disabled = true WHERE id = '${tenant.issuerId}'`);
    await waitUntil('it is refused', async () => (await service.get(tenant.path(CACHED))).status === 401);
    expect(isLive(service)).toBe(true);
  }

  it('is survived without a restart: redirects are served throughout, writes and changes resume', async ({
    annotate,
  }) => {
    const service = await ownService(urlOf(primary, replica));
    const tenant = await cachedTenant(service);
    const stop = await load(service, tenant);
    await primary.stop();
    await waitUntil('the feed is disconnected', () => !isLive(service));
    // Until a server is promoted, none accepts writes.
    await waitUntil(
      'writes are refused',
      async () => (await service.admin('POST', '/issuers', { name: 'No' })).status === 503,
    );
    await replica.promote();
    const promoted = performance.now();
    await waitUntil(
      'writes resume',
      async () => (await service.admin('POST', '/issuers', { name: 'Yes' })).status === 201,
    );
    const took = performance.now() - promoted;
    expect(await stop()).toStrictEqual({ redirects: [302], writes: [200, 503] });
    await expectResumed(service, tenant, replica);
    await annotate(`failover: writes succeed ${took.toFixed(0)} ms after the promotion`, FIGURE);
  });

  it('is noticed if the former primary is only made read-only, and keeps its connections', async () => {
    const service = await ownService(urlOf(primary, replica));
    const tenant = await cachedTenant(service);
    const stop = await load(service, tenant);
    await queryAt(primary, 'ALTER SYSTEM SET default_transaction_read_only = on');
    await queryAt(primary, 'SELECT pg_reload_conf()');
    await waitUntil('the feed is disconnected', () => !isLive(service));
    await replica.promote();
    await waitUntil('the feed is live', () => isLive(service));
    expect(await stop()).toStrictEqual({ redirects: [302], writes: [200, 503] });
    await expectResumed(service, tenant, replica);
  });

  it.runIf(pgbouncer !== null)('is survived behind PgBouncer in transaction mode', async () => {
    const pooler = await startPgbouncer(pgbouncer ?? '', primary.url, 'transaction', [
      'server_login_retry = 1',
    ]);
    onTestFinished(() => pooler.stop());
    const service = await ownService(pooler.urlOf(primary.url), {
      DATABASE_LISTEN_URL: urlOf(primary, replica),
      DATABASE_PREPARED_STATEMENTS: 'off',
    });
    const tenant = await cachedTenant(service);
    expect(isLive(service)).toBe(true);
    const stop = await load(service, tenant);
    await primary.stop();
    await replica.promote();
    await waitUntil('the feed is disconnected', () => !isLive(service));
    // The listener finds the new primary by itself, and is live only once the pooler leads there too.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(isLive(service)).toBe(false);
    await pooler.moveTo(replica.url);
    await waitUntil('the feed is live', () => isLive(service));
    expect((await stop())['redirects']).toStrictEqual([302]);
    await expectResumed(service, tenant, replica);
  });

  it('that took place before the start is found, although the first host is a standby', async () => {
    const service = await ownService(urlOf(replica, primary));
    const tenant = await cachedTenant(service);
    expect(isLive(service)).toBe(true);
    await expectResumed(service, tenant, primary);
  });

  it('behind one address closes each connection whose server refuses a write', async () => {
    const proxy = await TcpProxy.before(primary.url);
    onTestFinished(() => proxy.close());
    const service = await ownService(proxy.urlOf(primary.url));
    const tenant = await cachedTenant(service);
    const stop = await load(service, tenant);
    await queryAt(primary, 'ALTER SYSTEM SET default_transaction_read_only = on');
    await queryAt(primary, 'SELECT pg_reload_conf()');
    await replica.promote();
    // The address of the service leads to the new primary; open connections stay at the former one.
    proxy.moveTo(replica.url);
    await waitUntil(
      'writes resume',
      async () => (await service.admin('POST', '/issuers', { name: 'Yes' })).status === 201,
    );
    // Sooner than the pool closes a connection that it does not use.
    const left = (): Promise<object[]> =>
      queryAt(primary, `SELECT FROM pg_stat_activity WHERE application_name = 'pixseal'`);
    await waitUntil('the former primary has no connection', async () => (await left()).length === 0, 5_000);
    expect((await stop())['redirects']).toStrictEqual([302]);
  });

  it('leaves the service without a server that accepts writes, which it reports at the start', async () => {
    const { host } = new URL(replica.url);
    const starting = startService(
      { DATABASE_URL: urlOf(replica) },
      { variables: {}, drop: () => Promise.resolve() },
    );
    await expect(starting).rejects.toThrow(
      `DATABASE_URL has target_session_attrs=read-write, and the server at ${host} accepts no writes`,
    );
  });
});
