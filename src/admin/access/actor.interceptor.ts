import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { defer, lastValueFrom, type Observable } from 'rxjs';
import { runAs, type Actor } from '../../platform/actor/actor.js';
import { AdminKeyRequiredError } from '../requests/admin.errors.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose admin key the request carried, once the guard has let it through. */
    actor?: Actor;
  }
}

/** Runs a handler, its pipes and inner interceptors as the work of the key that the guard let through. */
export class ActorInterceptor implements NestInterceptor {
  /** @throws AdminKeyRequiredError (401) where no guard ran. */
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { actor, id: requestId } = context.switchToHttp().getRequest<FastifyRequest>();
    if (actor === undefined) throw new AdminKeyRequiredError();
    return defer(() =>
      runAs({ actor, requestId, reservation: null }, () => lastValueFrom<unknown>(next.handle())),
    );
  }
}
