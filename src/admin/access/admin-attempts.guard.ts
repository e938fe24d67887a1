import type { ServerResponse } from 'node:http';
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ENVIRONMENT } from '../../platform/config/config.module.js';
import type { Environment } from '../../platform/config/environment.js';
import { addressKey } from '../../platform/rate-limit/address-key.js';
import { TooManyRequestsError } from '../../platform/rate-limit/limits.errors.js';
import {
  backlogOf,
  type Rate,
  RateLimitStorage,
  retryDelay,
  TOLERANCE,
} from '../../platform/rate-limit/rate-limit.storage.js';

const UNAUTHORIZED = 401;
/** 401 responses per address: as a burst, and per minute. */
const FAILURES: Rate = { limit: 60, ttl: 60_000 };

/** Requests of one address. */
interface Attempts {
  /** Those that passed and have no complete response yet. */
  open: number;
  /** Continue the requests that wait for one of these. */
  readonly waiting: (() => void)[];
}

/**
 * Limits guesses of admin keys. It runs before the key guard and counts only 401 responses, so clients with a valid key
 * are limited only by their address's rate. Requests without a response may all be guesses: while they could exceed the
 * limit, further ones of the address wait, so that parallel guesses do not pass before the first is counted.
 */
@Injectable()
export class AdminAttemptsGuard implements CanActivate {
  /** Off if addresses are not limited, for example behind a proxy that hides all clients. */
  private readonly enabled: boolean;
  private readonly attempts = new Map<string, Attempts>();

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
    // Clients without an address would be counted as one, and could lock each other out.
    if (!this.enabled || address === null) return true;
    const { raw } = http.getResponse<FastifyReply>();
    await this.admit(`admin:${address}`, raw);
    return true;
  }

  private async admit(key: string, response: ServerResponse): Promise<void> {
    const attempts = this.attempts.get(key) ?? { open: 0, waiting: [] };
    this.attempts.set(key, attempts);
    const attempt = { isAdmitted: false, isClosed: false };
    response.once('close', () => {
      attempt.isClosed = true;
      if (attempt.isAdmitted) attempts.open -= 1;
      if (response.statusCode === UNAUTHORIZED) this.storage.consume(key, FAILURES);
      this.release(key, attempts);
    });
    while (!attempt.isClosed && !this.hasAllowance(key, attempts.open)) {
      await new Promise<void>((resolve) => attempts.waiting.push(resolve));
    }
    if (attempt.isClosed) return;
    attempt.isAdmitted = true;
    attempts.open += 1;
  }

  /** Whether one more guess is allowed if all open requests are guesses. @throws TooManyRequestsError (429) */
  private hasAllowance(key: string, open: number): boolean {
    const { refused, backlog } = this.storage.consume(key, FAILURES, 0);
    if (refused) throw new TooManyRequestsError('admin', retryDelay(backlog, FAILURES));
    return open === 0 || retryDelay(backlog + backlogOf(open, FAILURES), FAILURES) <= TOLERANCE;
  }

  /** Continues one waiting request; the next one follows when that one is refused or has its response. */
  private release(key: string, attempts: Attempts): void {
    const next = attempts.waiting.shift();
    if (next !== undefined) next();
    else if (attempts.open === 0) this.attempts.delete(key);
  }
}
