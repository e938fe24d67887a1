import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ENVIRONMENT } from '../../platform/config/config.module.js';
import type { Environment } from '../../platform/config/environment.js';
import { addressKey } from '../../platform/rate-limit/address-key.js';
import { TooManyRequestsError } from '../../platform/rate-limit/limits.errors.js';
import { type Rate, RateLimitStorage, retryDelay } from '../../platform/rate-limit/rate-limit.storage.js';

const UNAUTHORIZED = 401;
/** Responses of 401 that the admin API gives to one address: at once, and per minute. */
const FAILURES: Rate = { limit: 60, ttl: 60_000 };

/**
 * Runs before the admin API's key guard. Only responses of 401 are counted, so a client with a key is limited by its
 * address's rate alone; one that guesses keys is refused before its key is read.
 */
@Injectable()
export class AdminAttemptsGuard implements CanActivate {
  /** Where addresses are not limited, such as behind a proxy that hides all clients, failures are not either. */
  private readonly enabled: boolean;

  constructor(
    private readonly storage: RateLimitStorage,
    @Inject(ENVIRONMENT) { rateLimitAddress }: Pick<Environment, 'rateLimitAddress'>,
  ) {
    this.enabled = rateLimitAddress > 0;
  }

  /** @throws TooManyRequestsError (429) */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    const address = addressKey(http.getRequest<FastifyRequest>().ip);
    // Without an address all such clients would be counted as one, which could lock out the others.
    if (!this.enabled || address === null) return true;
    const key = `admin:${address}`;
    const { refused, backlog: debt } = await this.storage.consume(key, FAILURES, 0);
    if (refused) throw new TooManyRequestsError('admin', retryDelay(debt, FAILURES));
    const { raw } = http.getResponse<FastifyReply>();
    raw.once('finish', () => {
      if (raw.statusCode === UNAUTHORIZED) void this.storage.consume(key, FAILURES);
    });
    return true;
  }
}
