import { Global, Module } from '@nestjs/common';
import { ThrottlerModule } from '@nestjs/throttler';
import { ENVIRONMENT } from '../config/config.module.js';
import type { Environment } from '../config/environment.js';
import { MemoryRateLimitStorage } from './memory-rate-limit.storage.js';
import { RateLimitStorage } from './rate-limit.storage.js';
import { RateLimits } from './rate-limits.js';

/** Answers of 401 that the admin API gives to one address: so many at once, and so many a minute. */
const ADMIN_FAILURES = { name: 'admin', limit: 60, ttl: 60_000 };

/** Rates by address, issuer and failed admin key, counted in Redis where there is one. */
@Global()
@Module({
  imports: [
    ThrottlerModule.forRootAsync({
      inject: [RateLimitStorage, ENVIRONMENT],
      useFactory: (storage: RateLimitStorage, { rateLimitAddress }: Environment) => ({
        throttlers: [ADMIN_FAILURES],
        // Where nothing is counted by address, a proxy's that hides all clients for one, failures are not either.
        skipIf: () => rateLimitAddress === 0,
        setHeaders: false,
        storage,
      }),
    }),
  ],
  providers: [
    {
      provide: RateLimitStorage,
      inject: [ENVIRONMENT],
      useFactory: async ({ redisUrl }: Environment) => {
        if (redisUrl === null) return new MemoryRateLimitStorage();
        const { RedisRateLimitStorage } = await import('./redis-rate-limit.storage.js');
        return new RedisRateLimitStorage(redisUrl);
      },
    },
    RateLimits,
  ],
  exports: [RateLimitStorage, RateLimits],
})
export class LimitsModule {}
