import { Global, Module, type OnApplicationShutdown } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ENVIRONMENT } from '../config/config.module.js';
import type { Environment } from '../config/environment.js';
import { requireOpenSecrets } from '../issuers/stored-secrets.service.js';
import { SecretBox } from '../secrets/secret-box.js';
import { ChangeFeed } from './change-feed.js';
import { openDataSource } from './data-source.js';
import { isMigrated, migrateUnderLock, requireMigrated } from './migrate.js';

/** Opens the database before anything is served, and closes it after the last request. */
@Global()
@Module({
  providers: [
    {
      provide: DataSource,
      inject: [ENVIRONMENT],
      useFactory: async ({ database, secretsKeys }: Environment) => {
        const dataSource = await openDataSource(database);
        try {
          if (database.kind === 'postgres') await requireMigrated(dataSource);
          else if (!(await isMigrated(dataSource))) await migrateUnderLock(dataSource);
          await requireOpenSecrets(dataSource, new SecretBox(secretsKeys));
          return dataSource;
        } catch (error) {
          await dataSource.destroy();
          throw error;
        }
      },
    },
    ChangeFeed,
  ],
  exports: [DataSource, ChangeFeed],
})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(
    private readonly dataSource: DataSource,
    private readonly changeFeed: ChangeFeed,
  ) {}

  async onApplicationShutdown(): Promise<void> {
    await this.changeFeed.close();
    await this.dataSource.destroy();
  }
}
