import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ENVIRONMENT } from '../../platform/config/config.module.js';
import type { Environment } from '../../platform/config/environment.js';
import { addressKey } from '../../platform/rate-limit/address-key.js';
import { TooManyRequestsError } from '../../platform/rate-limit/limits.errors.js';
import { type Rate, RateLimitStorage, retryDelay } from '../../platform/rate-limit/rate-limit.storage.js';

const UNAUTHORIZED = 401;
/** 401 responses per address: as a burst, and per minute. */
const FAILURES: Rate = { limit: 60, ttl: 60_000 };

/**
 * Limits guesses of admin keys. It runs before the key guard and counts only 401 responses, so clients with a valid key
 * are limited only by their address's rate.
 */
@Injectable()
export class AdminAttemptsGuard implements CanActivate {
  /** Off if addresses are not limited, for example behind a proxy that hides all clients. */
  private readonly enabled: boolean;

  constructor(
    private readonly storage: RateLimitStorage,
    @Inject(ENVIRONMENT) { rateLimitAddress }: Pick<Environment, 'rateLimitAddress'>,
  ) {
    this.enabled = rateLimitAddress > 0;
  }

  /** @throws TooManyRequestsError (429) */
  canActivate(context: ExecutionContext): boolean {
    const http = context.switchToHttp();
    const address = addressKey(http.getRequest<FastifyRequest>().ip);
    // Clients without an address would be counted as one, and could lock each other out.
    if (!this.enabled || address === null) return true;
    const key = `admin:${address}`;
    const { refused, backlog } = this.storage.consume(key, FAILURES, 0);
    if (refused) throw new TooManyRequestsError('admin', retryDelay(backlog, FAILURES));
    const { raw } = http.getResponse<FastifyReply>();
    raw.once('finish', () => {
      if (raw.statusCode === UNAUTHORIZED) this.storage.consume(key, FAILURES);
    });
    return true;
  }
}
