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
  if (!logger.isLevelEnabled('info')) return;
  logLine(logger, {
    request_id: request.id,
    method: request.method,
    route: request.routeOptions.url ?? null,
    status: reply.raw.statusCode,
    ms: reply.elapsedTime,
    issuer_id: request.issuerId,
    problem_code: request.problemCode,
  });
}

/** What is told of an answer. */
export interface RequestLine {
  readonly request_id: string;
  readonly method: string;
  /** The route's pattern; null where no route was found. */
  readonly route: string | null;
  readonly status: number;
  /** Milliseconds. */
  readonly ms: number;
  readonly issuer_id: string | null;
  readonly problem_code: string | null;
}

/** Writes the line. */
export function logLine(logger: Logger, line: RequestLine): void {
  const { request_id, method, route, status, issuer_id, problem_code } = line;
  const ms = Math.round(line.ms * 1000) / 1000;
  logger.info({ request_id, method, route, status, ms, issuer_id, problem_code }, 'request');
}
