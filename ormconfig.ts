import { processVariables, readDatabaseSettings } from './src/platform/config/environment.js';
import { createDataSource } from './src/platform/database/data-source.js';
import { findSessionServers } from './src/platform/database/database-servers.js';

/** The TypeORM CLI's data source: that of the service, without a limit for the time of a query. */
const settings = readDatabaseSettings(processVariables());

export default await createDataSource(settings, 0, findSessionServers(settings));
