/** The database cannot be opened because of what DATABASE_URL says. */
export class ConnectionSettingError extends Error {
  /** @param problem What is wrong and what to do, as the rest of a sentence about DATABASE_URL. */
  constructor(problem: string) {
    super(`DATABASE_URL ${problem}`);
    this.name = 'ConnectionSettingError';
  }
}

const STATEMENT_POOLING = /statement pooling/i;

/** @returns null for an error that another setting would not change. */
export function findConnectionSettingError(error: unknown): ConnectionSettingError | null {
  if (!(error instanceof Error)) return null;
  if (STATEMENT_POOLING.test(error.message)) {
    return new ConnectionSettingError(
      'leads to a connection pooler in statement mode, which refuses transactions. ' +
        'Use its session mode, or connect to Postgres itself',
    );
  }
  return null;
}
