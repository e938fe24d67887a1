import { MigrationExecutor, type DataSource } from 'typeorm';

/** Key of the advisory lock of all processes that migrate: any fixed number. */
const MIGRATION_LOCK = 7_164_951;

/**
 * Runs the pending migrations in one transaction under a lock: of several processes that start at once, one migrates and
 * the others wait. A process that is killed leaves nothing behind.
 * @returns the names of those that ran.
 */
export async function migrateUnderLock(dataSource: DataSource): Promise<string[]> {
  const queryRunner = dataSource.createQueryRunner();
  try {
    await queryRunner.startTransaction();
    // Behind a pooler in transaction mode the session may be one that a running service has limited.
    await queryRunner.query('SET LOCAL statement_timeout = 0');
    await queryRunner.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
    const executor = new MigrationExecutor(dataSource, queryRunner);
    executor.transaction = 'none';
    const ran = await executor.executePendingMigrations();
    await queryRunner.commitTransaction();
    return ran.map((migration) => migration.name);
  } catch (error) {
    if (queryRunner.isTransactionActive) await queryRunner.rollbackTransaction();
    throw error;
  } finally {
    await queryRunner.release();
  }
}

/** The database's schema is behind the code: `npm run migration:run` was not run. */
class PendingMigrationsError extends Error {
  constructor() {
    super(
      'The database has pending migrations. Run `npm run migration:run` with the same DATABASE_URL, then start.',
    );
    this.name = 'PendingMigrationsError';
  }
}

/** @throws PendingMigrationsError unless all migrations of this build were run. */
export async function requireMigrated(dataSource: DataSource): Promise<void> {
  if (!(await isMigrated(dataSource))) throw new PendingMigrationsError();
}

/**
 * Whether all migrations of this build were run. TypeORM's own check queries the information schema, which takes a large
 * part of the embedded database's start.
 */
export async function isMigrated(dataSource: DataSource): Promise<boolean> {
  const { migrationsTableName: table = 'migrations' } = dataSource.options;
  const [found] = await dataSource.query<{ exists: boolean }[]>(
    'SELECT to_regclass($1) IS NOT NULL AS exists',
    [table],
  );
  if (found?.exists !== true) return false;
  const rows = await dataSource.query<{ name: string }[]>(`SELECT name FROM "${table}"`);
  const run = new Set(rows.map(({ name }) => name));
  return dataSource.migrations.every((migration) => run.has(migration.name ?? migration.constructor.name));
}
