import { randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { ChangeFeed } from '../../src/platform/database/change-feed.js';
import { INVALIDATED_CLAIMS, INVALIDATIONS } from '../support/invalidations.js';
import { FIGURE } from '../support/figures.reporter.js';
import { request } from '../support/http.js';
import { readMetrics, sumOf } from '../support/metrics.js';
import { ownClient, ownDatabase } from '../support/owned.js';
import {
  findPgbouncer,
  startPgbouncer,
  tracksStatements,
  type Pgbouncer,
  type PoolMode,
} from '../support/pgbouncer.js';
import { schemaOf } from '../support/schema.js';
import { createTenant, type Tenant } from '../support/seed.js';
import { ownProcess, spawnBuilt, warningsOf } from '../support/service-process.js';
import { startService, TEST_VARIABLES, type Service } from '../support/service.js';
import type { TestDatabase } from '../support/test-database.js';
import { waitUntil } from '../support/wait-until.js';

const pgbouncer = inject('database').kind === 'postgres' ? findPgbouncer() : null;
/** Milliseconds within which every replica refuses a revoked token, with a margin for a busy machine. */
const BOUND = 2_000 + 3_000;
/** Connections of a pool. */
const POOL_SIZE = 10;

/** The variables of a service behind a pooler without prepared statements. */
const UNPREPARED = { DATABASE_PREPARED_STATEMENTS: 'off' };

interface Pooled {
  readonly database: TestDatabase;
  readonly pooler: Pgbouncer;
  /** The variable whose connection goes through the pooler. */
  readonly variables: { readonly DATABASE_URL: string };
  /** The variable whose connection leads to Postgres itself. */
  readonly direct: { readonly DATABASE_LISTEN_URL: string };
}

async function startPooled(
  mode: PoolMode,
  settings: readonly string[] = [],
  options?: { readonly empty: boolean },
): Promise<Pooled> {
  const database = await ownDatabase(options);
  const url = database.variables['DATABASE_URL'] ?? '';
  const pooler = await startPgbouncer(pgbouncer ?? '', url, mode, settings);
  onTestFinished(() => pooler.stop());
  return {
    database,
    pooler,
    variables: { DATABASE_URL: pooler.urlOf(url) },
    direct: { DATABASE_LISTEN_URL: url },
  };
}

async function ownService(
  database: TestDatabase,
  variables: Readonly<Record<string, string>> = {},
): Promise<Service> {
  const service = await startService(variables, database);
  onTestFinished(() => service.close());
  return service;
}

const feedOf = (service: Service): ChangeFeed => service.app.get(ChangeFeed);

function ownTenant(service: Service): Promise<Tenant> {
  const name = randomUUID().slice(0, 8);
  return createTenant(service, { publicId: `image_${name}`, overlayPublicId: `layer_${name}` });
}

/** Invalidates a tenant's token at one service. @returns milliseconds until all of them refuse it. */
async function invalidateEverywhere(
  services: readonly Service[],
  [, invalidate]: (typeof INVALIDATIONS)[number],
): Promise<number> {
  const [first] = services;
  if (first === undefined) throw new Error('no service');
  const tenant = await ownTenant(first);
  const statuses = (): Promise<number[]> =>
    Promise.all(services.map(async (each) => (await each.get(tenant.path(INVALIDATED_CLAIMS))).status));
  // The second response of each is cached.
  for (let turn = 0; turn < 2; turn += 1) expect(await statuses()).toStrictEqual(services.map(() => 302));
  expect((await invalidate(first, tenant)).status).toBeLessThan(300);
  const ended = performance.now();
  await waitUntil('all refuse', async () => (await statuses()).every((status) => status === 401));
  return performance.now() - ended;
}

describe.runIf(pgbouncer !== null)('behind PgBouncer in session mode', () => {
  it.for<[name: string, settings: readonly string[]]>([
    ['its defaults', []],
    [
      'the parameters of the startup packet ignored',
      ['ignore_startup_parameters = extra_float_digits,statement_timeout'],
    ],
  ])('with %s, every connection of the pool has the statement timeout', async ([, settings]) => {
    const { database, variables } = await startPooled('session', settings);
    const service = await ownService(database, variables);
    const dataSource = service.app.get(DataSource);
    const rows = await Promise.all(
      Array.from({ length: POOL_SIZE }, () =>
        dataSource.query<{ pid: number; timeout: string }[]>(
          `SELECT pg_backend_pid() AS pid, current_setting('statement_timeout') AS timeout, pg_sleep(0.3)`,
        ),
      ),
    );
    expect(new Set(rows.map(([row]) => row?.pid)).size).toBe(POOL_SIZE);
    expect(rows.map(([row]) => row?.timeout)).toStrictEqual(rows.map(() => '5s'));
  });

  it.for(INVALIDATIONS.slice(0, 1))(
    'the change feed is connected, and all refuse %s within the bound',
    async (invalidation) => {
      const { database, variables } = await startPooled('session');
      const services = [await ownService(database), await ownService(database, variables)];
      expect(services.map((service) => feedOf(service).isLive)).toStrictEqual([true, true]);
      expect(await invalidateEverywhere(services, invalidation)).toBeLessThan(BOUND);
    },
  );
});

describe.runIf(pgbouncer !== null)('behind PgBouncer in transaction mode', () => {
  // With one session, a client's notifications return to it although it shares the session.
  const oneSession = ['default_pool_size = 1'];
  const cases = [
    ...INVALIDATIONS.map((invalidation) => ['its defaults', invalidation[0], [], invalidation] as const),
    ...INVALIDATIONS.slice(0, 1).map(
      (invalidation) => ['one session for all clients', invalidation[0], oneSession, invalidation] as const,
    ),
  ];

  it.for(cases)(
    'with %s, all refuse %s within the bound',
    async ([name, what, settings, invalidation], { annotate }) => {
      const { database, variables } = await startPooled('transaction', settings);
      const direct = await ownService(database);
      const pooled = [await ownService(database, variables), await ownService(database, variables)];
      const took = await invalidateEverywhere([direct, ...pooled], invalidation);
      expect(pooled.map((service) => feedOf(service).isLive)).toStrictEqual([false, false]);
      expect(took).toBeLessThan(BOUND);
      await annotate(
        `transaction pooler with ${name}, ${what} ended: all refuse after ${took.toFixed(0)} ms`,
        FIGURE,
      );
    },
  );

  it('the log names the pooler once, and the metrics show the feed as disconnected', async () => {
    const { database, pooler, variables } = await startPooled('transaction');
    const service = await ownProcess({
      ...TEST_VARIABLES,
      ...database.variables,
      ...variables,
      ...UNPREPARED,
      LOG_LEVEL: 'warn',
    });
    const silence = async (): Promise<number> =>
      sumOf(await readMetrics(service.port), 'pixseal_feed_silence_seconds');
    expect(sumOf(await readMetrics(service.port), 'pixseal_feed_live')).toBe(0);
    // It reconnects meanwhile.
    await waitUntil(
      'the feed is silent for longer than two tries',
      async () => (await silence()) > 11,
      30_000,
    );
    expect(warningsOf(service)).toStrictEqual([
      `DATABASE_URL leads to a connection pooler at 127.0.0.1:${pooler.port} that does not deliver notifications, ` +
        'as PgBouncer in transaction mode: changes are not received, so cached rows live for 1 s, ' +
        'and the database gets more queries. ' +
        'Set DATABASE_LISTEN_URL to Postgres itself, or use the session mode of the pooler',
    ]);
  });

  it('a connected feed is disconnected when the pooler changes to it, and connected again when it changes back', async () => {
    const { database, pooler, variables } = await startPooled('session', ['default_pool_size = 40']);
    const service = await ownService(database, variables);
    const feed = feedOf(service);
    expect(feed.isLive).toBe(true);
    await pooler.setMode('transaction');
    await waitUntil('the feed is disconnected', () => Promise.resolve(!feed.isLive));
    await pooler.setMode('session');
    await waitUntil('the feed is connected', () => Promise.resolve(feed.isLive), 15_000);
  });

  it('processes that migrate at once create one schema', async () => {
    const { database, variables } = await startPooled('transaction', [], { empty: true });
    // A service beside them leaves its timeout in the shared sessions.
    const operator = await ownClient({ ...database, variables });
    await operator.query('SET statement_timeout = 1');
    const migrators = [1, 2, 3, 4].map(() =>
      spawnBuilt('src/platform/database/migration-run.js', { ...database.variables, ...variables }),
    );
    const ended = await Promise.all(migrators.map((migrator) => migrator.exited));
    expect(ended.map(({ code, stderr }) => ({ code, stderr }))).toStrictEqual(
      migrators.map(() => ({ code: 0, stderr: '' })),
    );
    expect(ended.filter(({ stdout }) => stdout.startsWith('Ran ')).length).toBe(1);
    const [created, expected] = [await ownService(database), await ownService(await ownDatabase())];
    expect(await schemaOf(created.app.get(DataSource))).toStrictEqual(
      await schemaOf(expected.app.get(DataSource)),
    );
  });
});

describe.runIf(pgbouncer !== null)('behind PgBouncer in transaction mode, with DATABASE_LISTEN_URL', () => {
  it.for(INVALIDATIONS)(
    'the feed is live, and all refuse %s within the bound',
    async (invalidation, { annotate }) => {
      const { database, variables, direct } = await startPooled('transaction', ['default_pool_size = 2']);
      const settings = { ...variables, ...direct, ...UNPREPARED };
      const services = [await ownService(database, settings), await ownService(database, settings)];
      expect(services.map((service) => feedOf(service).isLive)).toStrictEqual([true, true]);
      const took = await invalidateEverywhere(services, invalidation);
      expect(services.map((service) => feedOf(service).isLive)).toStrictEqual([true, true]);
      expect(took).toBeLessThan(BOUND);
      await annotate(
        `pooled with a direct listener, ${invalidation[0]}: all refuse after ${took.toFixed(0)} ms`,
        FIGURE,
      );
    },
  );

  it('a change by any client is received, and nothing else uses the direct connection', async () => {
    const { database, variables, direct } = await startPooled('transaction');
    const service = await ownService(database, { ...variables, ...direct, ...UNPREPARED });
    const tenant = await ownTenant(service);
    for (let turn = 0; turn < 2; turn += 1) expect((await service.get(tenant.path())).status).toBe(302);
    const operator = await ownClient(database);
    await operator.query('UPDATE issuers SET disabled = true WHERE id = $1', [tenant.issuerId]);
    await waitUntil('it is refused', async () => (await service.get(tenant.path())).status === 401);
    expect(feedOf(service).isLive).toBe(true);
    // PgBouncer connects without a name until a client has one.
    const { rows } = await operator.query<{ last: string }>(
      `SELECT left(query, 6) AS last FROM pg_stat_activity
        WHERE application_name = 'pixseal change feed' AND datname = current_database() AND query LIKE 'LISTEN %'`,
    );
    expect(rows).toStrictEqual([{ last: 'LISTEN' }]);
  });

  it.for<[name: string, url: (pooled: Pooled, other: string) => string, warning: (port: number) => string]>([
    [
      'another database',
      (_, other) => other,
      () =>
        'A notification that was sent over DATABASE_URL did not arrive over DATABASE_LISTEN_URL: ' +
        'changes are not received, so cached rows live for 1 s, and the database gets more queries. ' +
        'Both must lead to the same database of the same server',
    ],
    [
      'the pooler too',
      ({ variables }) => variables.DATABASE_URL,
      (port) =>
        `DATABASE_LISTEN_URL leads to a connection pooler at 127.0.0.1:${port} that does not deliver notifications, ` +
        'as PgBouncer in transaction mode: changes are not received, so cached rows live for 1 s, ' +
        'and the database gets more queries. It must lead to Postgres itself',
    ],
    [
      'a server without TLS that it requires',
      ({ direct }) => `${direct.DATABASE_LISTEN_URL}?sslmode=verify-full`,
      () =>
        'The change feed is lost; cached rows live for 1 s until it is live again: ' +
        'DATABASE_LISTEN_URL requires TLS, which the server does not offer. ' +
        'sslmode=disable connects without encryption: use it within a private network only',
    ],
  ])('the log names it if it leads to %s', async ([, urlOf, warning]) => {
    const pooled = await startPooled('transaction');
    const other = (await ownDatabase()).variables['DATABASE_URL'] ?? '';
    const service = await ownProcess({
      ...TEST_VARIABLES,
      ...pooled.database.variables,
      ...pooled.variables,
      ...UNPREPARED,
      DATABASE_LISTEN_URL: urlOf(pooled, other),
      LOG_LEVEL: 'warn',
    });
    expect(sumOf(await readMetrics(service.port), 'pixseal_feed_live')).toBe(0);
    // The first heartbeat takes a moment: its loss is logged after the service listens.
    await waitUntil('it is logged', () => warningsOf(service).length > 0);
    expect(warningsOf(service)).toStrictEqual([warning(pooled.pooler.port)]);
  });

  it('migrations use it: they need no pooler', async () => {
    const { database, pooler, variables, direct } = await startPooled('transaction', [], { empty: true });
    await pooler.stop();
    const migrator = spawnBuilt('src/platform/database/migration-run.js', {
      ...database.variables,
      ...variables,
      ...direct,
    });
    expect(await migrator.exited).toMatchObject({ code: 0, stderr: '' });
  });
});

describe.runIf(pgbouncer !== null)('prepared statements behind PgBouncer in transaction mode', () => {
  const tracks = pgbouncer !== null && tracksStatements(pgbouncer);
  const untracked =
    'DATABASE_URL leads to a connection pooler that does not track prepared statements, as PgBouncer before 1.21 or ' +
    'with max_prepared_statements=0: statements are no longer prepared. ' +
    'Set DATABASE_PREPARED_STATEMENTS=off, or configure the pooler';

  it.for<[name: string, settings: readonly string[], prepared: 'on' | 'off', warnings: readonly string[]]>([
    ['are not used if they are off', tracks ? ['max_prepared_statements = 0'] : [], 'off', []],
    [
      'are given up, with one warning, without support',
      tracks ? ['max_prepared_statements = 0'] : [],
      'on',
      [untracked],
    ],
    ...(tracks
      ? [
          ['are used with support', ['max_prepared_statements = 100'], 'on', []] as [
            string,
            string[],
            'on',
            string[],
          ],
        ]
      : []),
  ])('%s, and every redirect is right', async ([, settings, prepared, warnings]) => {
    const { database, variables, direct } = await startPooled('transaction', settings);
    const first = await ownService(database);
    const tenants = await Promise.all(Array.from({ length: 20 }, () => ownTenant(first)));
    const processes = await Promise.all(
      [1, 2].map(() =>
        ownProcess({
          ...TEST_VARIABLES,
          ...database.variables,
          ...variables,
          ...direct,
          DATABASE_PREPARED_STATEMENTS: prepared,
          LOG_LEVEL: 'warn',
        }),
      ),
    );
    for (let turn = 0; turn < 5; turn += 1) {
      const statuses = await Promise.all(
        processes.flatMap(({ port }) =>
          tenants.flatMap((tenant) => [
            request({ port, path: tenant.path({ jti: randomUUID() }) }),
            request({ port, path: `/images/${randomUUID()}?token=${tenant.sign()}` }),
          ]),
        ),
      );
      expect(new Set(statuses.map(({ status }) => status))).toStrictEqual(new Set([302, 404]));
    }
    expect(processes.map(warningsOf)).toStrictEqual(processes.map(() => warnings));
  });
});

describe.runIf(pgbouncer !== null)('behind PgBouncer in statement mode', () => {
  it('the service does not start, and reports why', async () => {
    const { database, variables } = await startPooled('statement');
    const service = spawnBuilt('server/main.js', { ...TEST_VARIABLES, ...database.variables, ...variables });
    expect(await service.exited).toMatchObject({
      code: 1,
      stderr:
        'Pixseal did not start. DATABASE_URL leads to a connection pooler in statement mode, which refuses transactions. ' +
        'Use its transaction mode and set DATABASE_LISTEN_URL, use its session mode, or connect to Postgres itself\n',
    });
  });
});
