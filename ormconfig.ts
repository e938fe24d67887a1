import { processVariables, readDatabaseSettings } from './src/config/environment.js';
import { makeDataSource } from './src/database/data-source.js';

/** The TypeORM CLI's data source: the service's own, from the same settings. */
export default await makeDataSource(readDatabaseSettings(processVariables()));
