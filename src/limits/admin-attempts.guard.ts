import { type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import {
  InjectThrottlerOptions,
  ThrottlerGuard,
  type ThrottlerModuleOptions,
  type ThrottlerRequest,
} from '@nestjs/throttler';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { addressKey } from './address-key.js';
import { TooManyRequestsError } from './limits.errors.js';
import { RateLimitStorage, waitAfter } from './rate-limit.storage.js';

const UNAUTHORIZED = 401;

/**
 * Stands before the key guard of the admin API. Only answers of 401 count, so a client with a key may ask as much as
 * its address may; one that guesses is refused before its key is looked at.
 */
@Injectable()
export class AdminAttemptsGuard extends ThrottlerGuard {
  constructor(
    @InjectThrottlerOptions() options: ThrottlerModuleOptions,
    @Inject(RateLimitStorage) private readonly allowances: RateLimitStorage,
    reflector: Reflector,
  ) {
    super(options, allowances, reflector);
  }

  /** @throws TooManyRequestsError (429) */
  protected override async handleRequest({ context, limit, ttl }: ThrottlerRequest): Promise<boolean> {
    const { request, reply } = httpOf(context);
    const rate = { limit, ttl };
    const address = addressKey(request.ip);
    // Counted together, one of these clients could lock out all others.
    if (address === null) return true;
    const key = `admin:${address}`;
    const { refused, debt } = await this.allowances.spend(key, rate, 0);
    if (refused) throw new TooManyRequestsError('admin', waitAfter(debt, rate));
    reply.raw.once('finish', () => {
      if (reply.raw.statusCode === UNAUTHORIZED) void this.allowances.spend(key, rate);
    });
    return true;
  }
}

function httpOf(context: ExecutionContext): {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
} {
  const http = context.switchToHttp();
  return { request: http.getRequest<FastifyRequest>(), reply: http.getResponse<FastifyReply>() };
}
