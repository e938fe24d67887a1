import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { createDataSource } from '../../src/platform/database/data-source.js';
import { migrateUnderLock } from '../../src/platform/database/migrate.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Whether this project runs what has nothing to do with the kind of database. */
    once: boolean;
    /** Which database this run of a suite is on. */
    database: { kind: 'embedded'; template: string } | { kind: 'postgres'; url: string; template: string };
  }
}

/** Makes one migrated data folder, which every test copies: `initdb` takes seconds. */
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
