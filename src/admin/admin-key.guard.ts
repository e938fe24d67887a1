import { createHash, timingSafeEqual } from 'node:crypto';
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { ENVIRONMENT } from '../config/config.module.js';
import type { Environment } from '../config/environment.js';
import { AdminKeyRequiredError } from './admin.errors.js';

/** Lets a request through whose `Authorization: Bearer` is one of `ADMIN_API_KEYS` (RFC 6750 §2.1). */
@Injectable()
export class AdminKeyGuard implements CanActivate {
  private readonly digests: readonly Buffer[];

  constructor(@Inject(ENVIRONMENT) environment: Pick<Environment, 'adminApiKeys'>) {
    this.digests = environment.adminApiKeys.map(digestOf);
  }

  /** @throws AdminKeyRequiredError (401) */
  canActivate(context: ExecutionContext): boolean {
    const { authorization } = context.switchToHttp().getRequest<FastifyRequest>().headers;
    const given = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(authorization ?? '')?.[1];
    // Digests are of one length, and every key is compared: the time taken tells nothing of any of them.
    const digest = digestOf(given ?? '');
    const matches = this.digests.filter((known) => timingSafeEqual(known, digest));
    if (given === undefined || matches.length === 0) throw new AdminKeyRequiredError();
    return true;
  }
}

function digestOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
