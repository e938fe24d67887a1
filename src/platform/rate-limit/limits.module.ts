import { Global, Module } from '@nestjs/common';
import { ENVIRONMENT } from '../config/config.module.js';
import type { Environment } from '../config/environment.js';
import { MemoryRateLimitStorage } from './memory-rate-limit.storage.js';
import { RateLimitStorage } from './rate-limit.storage.js';
import { RateLimits } from './rate-limits.js';

/** Rate limits by address, issuer and failed admin key, counted in Redis if `REDIS_URL` is set. */
@Global()
@Module({
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
