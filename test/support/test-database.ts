import { randomBytes } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { inject } from 'vitest';
import { databaseUrl } from './postgres.setup.js';

/** A database of a single test: the variables that name it, and a function that drops it. */
export interface TestDatabase {
  readonly variables: Readonly<Record<string, string>>;
  drop(): Promise<void>;
}

/** Creates a database of this run's kind: a copy of the migrated template, or an empty one. */
export async function createTestDatabase({ empty = false } = {}): Promise<TestDatabase> {
  const database = inject('database');
  if (database.kind === 'embedded') {
    const folder = mkdtempSync(join(tmpdir(), 'pixseal-test-'));
    if (!empty) cpSync(database.template, folder, { recursive: true });
    return {
      variables: { DATA_DIR: folder },
      drop: () => {
        rmSync(folder, { recursive: true, force: true });
        return Promise.resolve();
      },
    };
  }
  const name = `pixseal_${randomBytes(8).toString('hex')}`;
  await query(database.url, `CREATE DATABASE ${name} ${empty ? '' : `TEMPLATE ${database.template}`}`);
  const folder = mkdtempSync(join(tmpdir(), 'pixseal-test-'));
  return {
    variables: { DATABASE_URL: databaseUrl(database.url, name), DATA_DIR: folder },
    drop: async () => {
      rmSync(folder, { recursive: true, force: true });
      await query(database.url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

async function query(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}
