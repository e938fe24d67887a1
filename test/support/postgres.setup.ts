import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { readDatabaseSettings } from '../../src/platform/config/environment.js';
import { createDataSource } from '../../src/platform/database/data-source.js';
import { migrateUnderLock } from '../../src/platform/database/migrate.js';
import { findPostgres, startPostgres } from './postgres-server.js';

/** Starts or finds a Postgres and creates one migrated database, the template of every test's database. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const found = findPostgres();
  if (found === null) throw new Error('There is no Postgres to test on');
  const server = await startPostgres(found);
  const template = `pixseal_template_${process.pid}`;
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  await client.query(`CREATE DATABASE ${template}`);
  const dataSource = await createDataSource(
    readDatabaseSettings({ DATABASE_URL: databaseUrl(server.url, template) }),
  );
  await dataSource.initialize();
  await migrateUnderLock(dataSource);
  await dataSource.destroy();
  project.provide('database', { kind: 'postgres', url: server.url, template });
  return async () => {
    await client.query(`DROP DATABASE IF EXISTS ${template} WITH (FORCE)`);
    await client.end();
    await server.stop();
  };
}

export function databaseUrl(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}
