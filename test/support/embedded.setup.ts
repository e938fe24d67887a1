import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { createDataSource } from '../../src/platform/database/data-source.js';
import { migrateUnderLock } from '../../src/platform/database/migrate.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Whether this project runs the tests that do not depend on the kind of database. */
    once: boolean;
    /** The database of this run of a suite. */
    database: { kind: 'embedded'; template: string } | { kind: 'postgres'; url: string; template: string };
  }
}

/** Creates one migrated data folder, which every test copies: `initdb` takes seconds. */
export default async function setup(project: TestProject): Promise<() => void> {
  const template = mkdtempSync(join(tmpdir(), 'pixseal-embedded-'));
  const dataSource = await createDataSource({ kind: 'embedded', dataDir: template });
  await dataSource.initialize();
  await migrateUnderLock(dataSource);
  await dataSource.destroy();
  project.provide('database', { kind: 'embedded', template });
  return () => {
    rmSync(template, { recursive: true, force: true });
  };
}
