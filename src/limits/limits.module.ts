import { Global, Module } from '@nestjs/common';
import { ThrottlerModule } from '@nestjs/throttler';
import { ENVIRONMENT } from '../config/config.module.js';
import type { Environment } from '../config/environment.js';
import { MemoryRateLimitStorage } from './memory-rate-limit.storage.js';
import { RateLimitStorage } from './rate-limit.storage.js';
import { RateLimits } from './rate-limits.js';
import { RedisRateLimitStorage } from './redis-rate-limit.storage.js';

/** Answers of 401 that the admin API gives to one address: so many at once, and so many a minute. */
const ADMIN_FAILURES = { name: 'admin', limit: 60, ttl: 60_000 };

/** Rates by address, issuer and failed admin key, counted in Redis where there is one. */
@Global()
@Module({
  imports: [
    ThrottlerModule.forRootAsync({
      inject: [RateLimitStorage],
      useFactory: (storage: RateLimitStorage) => ({
        throttlers: [ADMIN_FAILURES],
        setHeaders: false,
        storage,
      }),
    }),
  ],
  providers: [
    {
      provide: RateLimitStorage,
      inject: [ENVIRONMENT],
      useFactory: ({ redisUrl }: Environment) =>
        redisUrl === null ? new MemoryRateLimitStorage() : new RedisRateLimitStorage(redisUrl),
    },
    RateLimits,
  ],
  exports: [RateLimitStorage, RateLimits],
})
export class LimitsModule {}
