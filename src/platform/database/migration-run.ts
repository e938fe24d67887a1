import { processVariables, readDatabaseSettings } from '../config/environment.js';
import { openDataSource } from './data-source.js';
import { migrateUnderLock } from './migrate.js';

// `npm run migration:run` needs only DATABASE_URL (or DATA_DIR), so that its job has no other secret.
try {
  const dataSource = await openDataSource(readDatabaseSettings(processVariables()), 0);
  const ran = await migrateUnderLock(dataSource);
  await dataSource.destroy();
  process.stdout.write(ran.length === 0 ? 'No migration is pending.\n' : `Ran ${ran.join(', ')}.\n`);
} catch (error) {
  process.stderr.write(
    `The migrations did not run. ${error instanceof Error ? error.message : String(error)}\n`,
  );
  process.exit(1);
}
