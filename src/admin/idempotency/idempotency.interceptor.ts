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
 * A route that creates a row: a request with an `Idempotency-Key` that comes again is given the first one's answer.
 * It stands above a decorator that reads the body, whose interceptor must come first.
 */
export function Idempotent(): MethodDecorator {
  return applyDecorators(
    UseInterceptors(IdempotencyInterceptor),
    ApiHeader({
      name: 'Idempotency-Key',
      required: false,
      schema: { type: 'string', minLength: 1, maxLength: 255, pattern: KEY.source },
      description: '1 to 255 printable characters: for 24 hours, a repeat gets the first answer again.',
    }),
  );
}

/** Answers are kept of what was created alone: a request that was refused created nothing, and may be tried again. */
@Injectable()
class IdempotencyInterceptor implements NestInterceptor {
  constructor(private readonly requests: IdempotencyService) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const http = context.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const key = request.headers['idempotency-key'];
    const work = currentContext();
    if (key === undefined || work === null) return next.handle();
    if (typeof key !== 'string' || !KEY.test(key)) {
      throw new InvalidRequestError([
        { key: 'Idempotency-Key', detail: 'must be 1 to 255 printable ASCII characters' },
      ]);
    }
    const reservation = await this.requests.reserve({
      actor: work.actor.name,
      route: `${request.method} ${resourceOf(request)}`,
      key,
      body: bodyOf(request),
    });
    if ('answer' in reservation) {
      http.getResponse<FastifyReply>().header('Idempotency-Replayed', 'true');
      return of(reservation.answer);
    }
    return of(await this.execute({ ...work, reservation: reservation.id }, reservation.id, next));
  }

  private async execute(work: RequestContext, id: string, next: CallHandler): Promise<unknown> {
    let answer: unknown;
    try {
      answer = await runAs(work, () => lastValueFrom<unknown>(next.handle()));
    } catch (error) {
      // A request whose place was taken wrote nothing, and whose error that is does not matter.
      if (!(await this.requests.release(id))) throw new IdempotencyInProgressError();
      throw error;
    }
    await this.requests.keep(id, answer);
    return answer;
  }
}

/** The path of the route's resource in one spelling: encoded characters and letter case of ids change nothing. */
function resourceOf({ routeOptions: { url = '' }, params }: FastifyRequest): string {
  let path = url;
  for (const [name, value] of Object.entries(params as Readonly<Record<string, string>>)) {
    path = path.replace(`:${name}`, () => canonicalUuid(value) ?? encodeURIComponent(value));
  }
  return path;
}

/** What the caller sent: a form's fields as they came, without what was filled in, and its file by content. */
function bodyOf({ body, formFields, original }: FastifyRequest): unknown {
  if (original === null) return body;
  return { fields: formFields, original: createHash('sha256').update(original).digest('hex') };
}
