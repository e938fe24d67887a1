import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { RequestOrigin } from './request-origin.js';

/** A handler's parameter: the origin that the client requested, by `TRUST_PROXY`. */
export const Origin = createParamDecorator((_: unknown, context: ExecutionContext): RequestOrigin => {
  const { protocol, host } = context.switchToHttp().getRequest<FastifyRequest>();
  return { protocol, host };
});
