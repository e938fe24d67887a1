import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';

/**
 * One JSON line for each answer. It has the route's pattern and never the URL: a token is a URL's query.
 */
export function logRequests(fastify: FastifyInstance, logger: Logger): void {
  fastify.decorateRequest('issuerId', null);
  fastify.decorateRequest('problemCode', null);
  fastify.addHook('onResponse', (request, reply, done) => {
    logAnswer(logger, request, reply);
    done();
  });
}

/** The line of one answer that was sent; to be called for those that come to no hook. */
export function logAnswer(logger: Logger, request: FastifyRequest, reply: FastifyReply): void {
  logger.info(
    {
      request_id: request.id,
      method: request.method,
      route: request.routeOptions.url ?? null,
      status: reply.raw.statusCode,
      ms: Math.round(reply.elapsedTime * 1000) / 1000,
      issuer_id: request.issuerId,
      problem_code: request.problemCode,
    },
    'request',
  );
}
