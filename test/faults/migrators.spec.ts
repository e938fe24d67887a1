import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DataSource } from 'typeorm';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { readDatabaseSettings } from '../../src/platform/config/environment.js';
import { createDataSource } from '../../src/platform/database/data-source.js';
import { ownClient, ownDatabase } from '../support/owned.js';
import { schemaOf } from '../support/schema.js';
import { spawnBuilt, type ProcessExit } from '../support/service-process.js';
import type { TestDatabase } from '../support/test-database.js';
import { waitUntil } from '../support/wait-until.js';

const PROCESSES = 8;
/** Milliseconds: eight processes start at once. */
const LONG_TIMEOUT = 150_000;
const TIMEOUT = 400_000;
const PROGRAM = 'src/platform/database/migration-run.js';
const embedded = inject('database').kind === 'embedded';

/** A process that migrates, and has exited before its database is dropped. */
function startMigrator({ variables }: TestDatabase): ReturnType<typeof spawnBuilt> {
  const migrator = spawnBuilt(PROGRAM, variables);
  onTestFinished(async () => {
    migrator.kill('SIGKILL');
    await migrator.exited;
  });
  return migrator;
}

/** The folder in which a process creates the database, or a path that does not exist. */
function findDraft(folder: string): string {
  const name = readdirSync(folder).find((each) => each.startsWith('postgres.unfinished-'));
  return join(folder, name ?? 'postgres.unfinished-');
}

async function open({ variables }: TestDatabase): Promise<DataSource> {
  const dataSource = await createDataSource(readDatabaseSettings(variables));
  await dataSource.initialize();
  onTestFinished(() => dataSource.destroy());
  return dataSource;
}

/** The database has the schema of an undisturbed migration, and each migration ran once. */
async function expectOneSchema(database: TestDatabase): Promise<void> {
  const [created, other] = [await open(database), await open(await ownDatabase())];
  expect(await schemaOf(created)).toStrictEqual(await schemaOf(other));
  const names = await created.query<{ name: string }[]>('SELECT name FROM migrations ORDER BY name');
  expect(names.map(({ name }) => name)).toStrictEqual(
    created.migrations.map((migration) => migration.constructor.name).toSorted(),
  );
}

describe.runIf(!embedded)('eight processes that migrate an empty database at once', () => {
  it(
    'create one schema, although the migrating one is killed',
    async () => {
      const database = await ownDatabase({ empty: true });
      const [operator, blocker] = [await ownClient(database), await ownClient(database)];
      // An uncommitted table of that name: the process that creates the schema is blocked in the middle of it.
      await blocker.query('BEGIN');
      await blocker.query('CREATE TABLE audit_log ()');
      const waiting = async (event: string): Promise<number> => {
        const { rows } = await operator.query(
          `SELECT FROM pg_stat_activity
          WHERE datname = current_database() AND application_name = 'pixseal' AND wait_event = $1`,
          [event],
        );
        return rows.length;
      };

      const victim = startMigrator(database);
      await waitUntil(
        'one is in the middle of its work',
        async () => (await waiting('transactionid')) === 1,
        LONG_TIMEOUT,
      );
      const others = Array.from({ length: PROCESSES - 1 }, () => startMigrator(database));
      await waitUntil(
        'all others wait',
        async () => (await waiting('advisory')) === others.length,
        LONG_TIMEOUT,
      );
      victim.kill('SIGKILL');
      expect(await victim.exited).toMatchObject({ signal: 'SIGKILL', stdout: '' });
      await blocker.query('ROLLBACK');

      const ended = await Promise.all(others.map((other) => other.exited));
      expect(ended.map(({ code, stderr }) => ({ code, stderr }))).toStrictEqual(
        others.map(() => ({ code: 0, stderr: '' })),
      );
      const said = ended.map(({ stdout }) => stdout);
      expect(said.filter((text) => /^Ran CreateTables1764000000000.*\.\n$/.test(text))).toHaveLength(1);
      expect(said.filter((text) => text === 'No migration is pending.\n')).toHaveLength(others.length - 1);
      await expectOneSchema(database);
    },
    TIMEOUT,
  );
});

describe.runIf(embedded)('eight processes that migrate an empty folder at once', () => {
  it(
    'run one at a time, and the folder is valid although the migrating one is killed',
    async () => {
      const database = await ownDatabase({ empty: true });
      const folder = database.variables['DATA_DIR'] ?? '';
      const startAll = (): readonly ReturnType<typeof spawnBuilt>[] =>
        Array.from({ length: PROCESSES }, () => startMigrator(database));
      const lock = join(folder, 'pixseal.pid');

      const first = startAll();
      await waitUntil(
        'one makes the database',
        () => existsSync(join(findDraft(folder), 'PG_VERSION')),
        LONG_TIMEOUT,
      );
      const holder = Number(readFileSync(lock, 'utf8').split(' ')[0]);
      const victim = first.find(({ pid }) => pid === holder);
      victim?.kill('SIGKILL');
      const ended = await Promise.all(first.map((each) => each.exited));
      expect(ended.filter(({ signal }) => signal === 'SIGKILL')).toHaveLength(1);
      expectRefusedOrDone(ended.filter(({ signal }) => signal === null));

      // The killed process has left its lock, and all find it at once.
      const again = await Promise.all(startAll().map((each) => each.exited));
      expectRefusedOrDone(again);
      expect(again.some(({ code }) => code === 0)).toBe(true);
      await expectOneSchema(database);
    },
    TIMEOUT,
  );

  function expectRefusedOrDone(all: readonly ProcessExit[]): void {
    for (const { code, stdout, stderr } of all) {
      if (code === 0) expect(stdout).toMatch(/^(Ran .+|No migration is pending)\.\n$/);
      else
        expect(stderr).toMatch(/^The migrations did not run\. The data folder .+ is in use by process \d+\./);
    }
  }
});

describe.runIf(embedded)('a process that creates an embedded database', () => {
  it.each<[instant: string, hasArrived: (folder: string) => boolean, emptyFolder?: true]>([
    ['locks the folder', (folder) => existsSync(join(folder, 'pixseal.pid'))],
    ['begins', (folder) => existsSync(findDraft(folder))],
    ['starts in an empty folder', (folder) => existsSync(join(findDraft(folder), 'PG_VERSION')), true],
    ['fills the first database', (folder) => existsSync(join(findDraft(folder), 'base/1/PG_VERSION'))],
    ['copies it', (folder) => existsSync(join(findDraft(folder), 'base/5'))],
    ['has created it', (folder) => existsSync(join(folder, 'postgres/base/5'))],
  ])(
    'is killed as it %s, and the next one creates it again',
    async (_, hasArrived, emptyFolder) => {
      const database = await ownDatabase({ empty: true });
      const folder = database.variables['DATA_DIR'] ?? '';
      if (emptyFolder) mkdirSync(join(folder, 'postgres'));
      const victim = startMigrator(database);
      await waitUntil('the time is reached', () => hasArrived(folder), LONG_TIMEOUT);
      victim.kill('SIGKILL');
      expect(await victim.exited).toMatchObject({ signal: 'SIGKILL', stdout: '' });
      await expectCreated(database);
    },
    TIMEOUT,
  );

  it(
    'reports the signal that ends its second process, and leaves nothing of it',
    async () => {
      const database = await ownDatabase({ empty: true });
      const folder = database.variables['DATA_DIR'] ?? '';
      const migrator = startMigrator(database);
      await waitUntil('it creates', () => existsSync(join(findDraft(folder), 'PG_VERSION')), LONG_TIMEOUT);
      const children = readFileSync(`/proc/${migrator.pid}/task/${migrator.pid}/children`, 'utf8');
      process.kill(Number(children), 'SIGKILL');
      expect(await migrator.exited).toMatchObject({
        code: 1,
        stdout: '',
        stderr:
          'The migrations did not run. The embedded database was not created: ' +
          'SIGKILL ended its process, which needs 700 MB of memory until the files exist\n',
      });
      expect(readdirSync(folder)).toStrictEqual([]);
      await expectCreated(database);
    },
    TIMEOUT,
  );

  it(
    'creates it again where an earlier release was killed, which marked the folder as unfinished',
    async () => {
      const database = await ownDatabase({ empty: true });
      const folder = database.variables['DATA_DIR'] ?? '';
      mkdirSync(join(folder, 'postgres'));
      writeFileSync(join(folder, 'postgres/PG_VERSION'), '18\n');
      writeFileSync(join(folder, 'postgres.unfinished'), '');
      await expectCreated(database);
    },
    TIMEOUT,
  );

  /** The next process creates the database, and leaves no file beside it. */
  async function expectCreated(database: TestDatabase): Promise<void> {
    const { code, stdout, stderr } = await startMigrator(database).exited;
    expect({ code, stderr }).toStrictEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^Ran CreateTables1764000000000.*\.\n$/);
    expect(readdirSync(database.variables['DATA_DIR'] ?? '')).toStrictEqual(['postgres']);
    await expectOneSchema(database);
  }

  it(
    'deletes no file that it did not create',
    async () => {
      const database = await ownDatabase({ empty: true });
      const folder = join(database.variables['DATA_DIR'] ?? '', 'postgres');
      mkdirSync(folder);
      writeFileSync(join(folder, 'notes.txt'), 'of somebody');
      const victim = startMigrator(database);
      await waitUntil('it has started', () => existsSync(join(folder, 'PG_VERSION')), LONG_TIMEOUT);
      victim.kill('SIGKILL');
      await victim.exited;
      await startMigrator(database).exited;
      expect(readFileSync(join(folder, 'notes.txt'), 'utf8')).toBe('of somebody');
    },
    TIMEOUT,
  );
});
