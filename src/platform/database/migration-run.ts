import { processVariables, readDatabaseSettings } from '../config/environment.js';
import { openDataSource } from './data-source.js';
import { findSessionServers } from './database-servers.js';
import { migrateUnderLock } from './migrate.js';

// `npm run migration:run` needs only the URLs of the database (or DATA_DIR), so that its job has no other secret.
try {
  const settings = readDatabaseSettings(processVariables());
  const dataSource = await openDataSource(settings, 0, findSessionServers(settings));
  const ran = await migrateUnderLock(dataSource);
  await dataSource.destroy();
  process.stdout.write(ran.length === 0 ? 'No migration is pending.\n' : `Ran ${ran.join(', ')}.\n`);
} catch (error) {
  process.stderr.write(
    `The migrations did not run. ${error instanceof Error ? error.message : String(error)}\n`,
  );
  process.exit(1);
}
