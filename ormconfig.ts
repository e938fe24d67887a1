import { processVariables, readDatabaseSettings } from './src/platform/config/environment.js';
import { createDataSource } from './src/platform/database/data-source.js';

/** The TypeORM CLI's data source: the service's own, from the same settings, but for the time that a query may take. */
export default await createDataSource(readDatabaseSettings(processVariables()), 0);
