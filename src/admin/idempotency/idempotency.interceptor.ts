import {
  applyDecorators,
  Injectable,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { lastValueFrom, of, type Observable } from 'rxjs';
import { currentContext, runAs, type RequestContext } from '../../platform/actor/actor.js';
import { InvalidRequestError } from '../../domain/request.errors.js';
import { canonicalUuid } from '../../domain/uuid.js';
import { IdempotencyInProgressError } from './idempotency.errors.js';
import { IdempotencyService } from './idempotency.service.js';

const KEY = /^[\x20-\x7e]{1,255}$/;

/**
 * A route that creates a row: a retry with the same `Idempotency-Key` gets the first response. It must be above a
 * decorator that reads the body, whose interceptor runs first.
 */
export function Idempotent(): MethodDecorator {
  return applyDecorators(
    UseInterceptors(IdempotencyInterceptor),
    ApiHeader({
      name: 'Idempotency-Key',
      required: false,
      schema: { type: 'string', minLength: 1, maxLength: 255, pattern: KEY.source },
      description: '1 to 255 printable characters: for 24 hours, a retry gets the first response again.',
    }),
  );
}

/** Only responses of created rows are stored: a refused request created nothing, and can be retried. */
@Injectable()
class IdempotencyInterceptor implements NestInterceptor {
  constructor(private readonly requests: IdempotencyService) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const http = context.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const key = request.headers['idempotency-key'];
    const current = currentContext();
    if (key === undefined || current === null) return next.handle();
    if (typeof key !== 'string' || !KEY.test(key)) {
      throw new InvalidRequestError([
        { key: 'Idempotency-Key', detail: 'must be 1 to 255 printable ASCII characters' },
      ]);
    }
    const reservation = await this.requests.reserve({
      actor: current.actor.name,
      route: `${request.method} ${resourceOf(request)}`,
      key,
      body: bodyOf(request),
    });
    if ('response' in reservation) {
      http.getResponse<FastifyReply>().header('Idempotency-Replayed', 'true');
      return of(reservation.response);
    }
    return of(await this.execute({ ...current, reservation: reservation.id }, reservation.id, next));
  }

  private async execute(context: RequestContext, id: string, next: CallHandler): Promise<unknown> {
    let response: unknown;
    try {
      response = await runAs(context, () => lastValueFrom<unknown>(next.handle()));
    } catch (error) {
      // A retry has taken the reservation over, so this request wrote nothing, and its error does not matter.
      if (!(await this.requests.release(id))) throw new IdempotencyInProgressError();
      throw error;
    }
    await this.requests.store(id, response);
    return response;
  }
}

/** The resource's path, normalized: percent-encoding and the letter case of ids make no difference. */
function resourceOf({ routeOptions: { url = '' }, params }: FastifyRequest): string {
  let path = url;
  for (const [name, value] of Object.entries(params as Readonly<Record<string, string>>)) {
    path = path.replace(`:${name}`, () => canonicalUuid(value) ?? encodeURIComponent(value));
  }
  return path;
}

/** The body as sent: of a form, its fields without defaults, and the digest of its file. */
function bodyOf({ body, formFields, original }: FastifyRequest): unknown {
  if (original === null) return body;
  return { fields: formFields, original: createHash('sha256').update(original.content).digest('hex') };
}
