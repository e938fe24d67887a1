import { type DynamicModule, Global, Module, type OnApplicationShutdown } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ENVIRONMENT } from '../config/config.module.js';
import type { Environment } from '../config/environment.js';
import { ChangeFeed } from './change-feed.js';
import { openDataSource } from './data-source.js';
import { DatabaseServers, findServers } from './database-servers.js';
import { isMigrated, migrateUnderLock, requireMigrated } from './migrate.js';

/** Checks the rows before anything is served. @throws if they cannot be served. */
export type RowCheck = (dataSource: DataSource, environment: Environment) => Promise<void>;

/** Opens the database before anything is served, and closes it after the last request. */
@Global()
@Module({})
export class DatabaseModule implements OnApplicationShutdown {
  /** @param check Runs once the schema is current; when it throws, the database is closed and the start fails. */
  static for(check: RowCheck): DynamicModule {
    return {
      module: DatabaseModule,
      providers: [
        {
          provide: DatabaseServers,
          inject: [ENVIRONMENT],
          useFactory: ({ database }: Environment) => findServers(database),
        },
        {
          provide: DataSource,
          inject: [ENVIRONMENT, DatabaseServers],
          useFactory: (environment: Environment, servers: DatabaseServers | null) =>
            openDatabase(environment, servers, check),
        },
        ChangeFeed,
      ],
      exports: [DataSource, ChangeFeed],
    };
  }

  constructor(
    private readonly dataSource: DataSource,
    private readonly changeFeed: ChangeFeed,
  ) {}

  async onApplicationShutdown(): Promise<void> {
    await this.changeFeed.close();
    await this.dataSource.destroy();
  }
}

async function openDatabase(
  environment: Environment,
  servers: DatabaseServers | null,
  check: RowCheck,
): Promise<DataSource> {
  const { database } = environment;
  const dataSource = await openDataSource(database, undefined, servers);
  try {
    if (database.kind === 'postgres') await requireMigrated(dataSource);
    else if (!(await isMigrated(dataSource))) await migrateUnderLock(dataSource);
    await check(dataSource, environment);
    return dataSource;
  } catch (error) {
    await dataSource.destroy();
    throw error;
  }
}
