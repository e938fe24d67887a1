import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { defer, lastValueFrom, type Observable } from 'rxjs';
import { exchangeOf } from '../../platform/http/exchange.js';
import { runAs, type Actor } from '../../platform/actor/actor.js';
import { AdminKeyRequiredError } from '../requests/admin.errors.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** The owner of the request's admin key, set by the guard. */
    actor?: Actor;
  }
}

/** Runs a handler, its pipes and inner interceptors in the context of the actor that the guard authenticated. */
export class ActorInterceptor implements NestInterceptor {
  /** @throws AdminKeyRequiredError (401) if no guard ran. */
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { actor, id: requestId, raw } = context.switchToHttp().getRequest<FastifyRequest>();
    if (actor === undefined) throw new AdminKeyRequiredError();
    const { span } = exchangeOf(raw);
    return defer(() =>
      runAs({ actor, requestId, reservation: null, span }, () => lastValueFrom<unknown>(next.handle())),
    );
  }
}
