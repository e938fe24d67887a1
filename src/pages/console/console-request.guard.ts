import type { CanActivate, ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { requireSameOrigin } from './same-origin.js';

/** Admits only requests from the console itself: no other site may sign a browser in or out. */
export class ConsoleRequestGuard implements CanActivate {
  /** @throws CrossSiteRequestError (403) */
  canActivate(context: ExecutionContext): boolean {
    requireSameOrigin(context.switchToHttp().getRequest<FastifyRequest>());
    return true;
  }
}
