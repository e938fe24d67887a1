import { Global, Module } from '@nestjs/common';
import { ENVIRONMENT } from '../platform/config/config.module.js';
import type { Environment } from '../platform/config/environment.js';
import { SecretsModule } from '../platform/secrets/secrets.module.js';
import { Counters } from './counters/counters.js';
import { DatabaseCounters } from './counters/database-counters.js';
import { DatabaseLookups } from './database-lookups.service.js';
import { DirectoryService } from './directory.service.js';
import { JwksNetwork } from './jwks-network.js';
import { JwksService } from './jwks.service.js';

@Global()
@Module({
  imports: [SecretsModule],
  providers: [
    DatabaseLookups,
    DirectoryService,
    JwksNetwork,
    JwksService,
    {
      provide: Counters,
      inject: [ENVIRONMENT, DatabaseLookups],
      useFactory: async ({ redisUrl }: Environment, lookups: DatabaseLookups) => {
        if (redisUrl === null) return new DatabaseCounters(lookups);
        const { RedisCounters } = await import('./counters/redis-counters.js');
        return new RedisCounters(redisUrl);
      },
    },
  ],
  exports: [Counters, DatabaseLookups, DirectoryService, JwksService],
})
export class DirectoryModule {}
