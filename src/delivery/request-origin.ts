import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { type ReachedBy } from './origin.js';

/** A handler's parameter: by which origin the client reached this service. */
export const RequestReachedBy = createParamDecorator((_: unknown, context: ExecutionContext): ReachedBy => {
  return context.switchToHttp().getRequest<FastifyRequest>();
});
