import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { FiguresReporter } from './test/support/figures.reporter.js';
import { findPostgres } from './test/support/postgres-server.js';
import { SummaryReporter } from './test/support/summary.reporter.js';

const postgres = findPostgres();
if (postgres === null) {
  process.stderr.write(
    '\n*** LEFT OUT: the suites on a real Postgres. There is no TEST_DATABASE_URL and no server binary ' +
      '(Debian: apt-get install postgresql). ***\n\n',
  );
  if (process.env['REQUIRE_POSTGRES'] === '1') process.exit(1);
}

const setupFiles = ['reflect-metadata', 'test/support/random.setup.ts'];
const summary = process.env['TEST_SUMMARY'];
const withDatabase = ['test/e2e/**/*.spec.ts', 'test/faults/**/*.spec.ts'];

/** What these suites are about lies above the database: where there is a server, they run on that one alone. */
const onEither = [
  ...[
    'admin-fuzz',
    'broken-requests',
    'browser',
    'canary',
    'claims',
    'cli-admin',
    'clients',
    'contributing',
    'examples',
    'explain',
    'fuzz',
    'haproxy',
    'import',
    'kubernetes',
  ],
  ...[
    'languages',
    'left-clients',
    'limits',
    'metrics',
    'migrating',
    'oidc',
    'packages',
    'playground',
    'react',
    'shared-connections',
    'steps',
    'token-gate',
    'traces',
    'raw-response',
  ],
]
  .map((name) => `test/e2e/${name}.spec.ts`)
  .concat(
    ['forged-flood', 'overload', 'proxy', 'redis-gone', 'secrets', 'slowloris'].map(
      (name) => `test/faults/${name}.spec.ts`,
    ),
  );

/** Rooms of the redirect, whose lines `npm run coverage` counts. */
const COVERED_ROOMS = ['src/redirect', 'src/tokens', 'src/transformations', 'src/policy'];

export default defineConfig({
  test: {
    // Most tests wait: for a process, a database, a browser.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    reporters: [
      'default',
      new FiguresReporter(),
      ...(summary === undefined ? [] : [new SummaryReporter(summary)]),
    ],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    coverage: {
      provider: 'v8',
      include: COVERED_ROOMS.map((room) => `${room}/**/*.ts`),
      reporter: [['text', { maxCols: 120 }]],
      thresholds: {
        ...Object.fromEntries(COVERED_ROOMS.map((room) => [`${room}/*.ts`, { lines: 95 }])),
        // Its faults are caused in processes of their own, whose lines are not counted.
        'src/redirect/proxy/*.ts': { lines: 90 },
      },
    },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.spec.ts'],
          exclude: withDatabase,
          setupFiles,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'embedded',
          include: withDatabase,
          exclude: postgres === null ? [] : onEither,
          provide: { once: postgres === null },
          setupFiles,
          globalSetup: ['test/support/embedded.setup.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      ...(postgres === null
        ? []
        : [
            {
              test: {
                name: 'postgres',
                provide: { once: true },
                include: withDatabase,
                setupFiles,
                globalSetup: ['test/support/postgres.setup.ts'],
                testTimeout: 60_000,
                hookTimeout: 60_000,
              },
            },
          ]),
    ],
  },
});
