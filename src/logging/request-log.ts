import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { sentStatus } from '../problems/broken-requests.js';

/**
 * One JSON line for each request, when its response is sent or its client has left. It has the route's pattern and
 * never the URL: a token is a URL's query.
 */
export function logRequests(fastify: FastifyInstance, logger: Logger): void {
  fastify.decorateRequest('issuerId', null);
  fastify.decorateRequest('problemCode', null);
  fastify.addHook('onRequest', (request, reply, done) => {
    logWhenSent(logger, request, reply);
    done();
  });
}

/** Writes the line of one request when its response is closed; to be called for those that come to no hook. */
export function logWhenSent(logger: Logger, request: FastifyRequest, reply: FastifyReply): void {
  if (!logger.isLevelEnabled('info')) return;
  // Comes once, also where the client left before the end: Fastify's onResponse does not.
  reply.raw.once('close', () => {
    logLine(logger, {
      request_id: request.id,
      method: request.method,
      route: request.routeOptions.url ?? null,
      status: sentStatus(reply.raw),
      ms: reply.elapsedTime,
      issuer_id: request.issuerId,
      problem_code: request.problemCode,
    });
  });
}

/** What the log has of a request. */
export interface RequestLine {
  readonly request_id: string;
  readonly method: string;
  /** The route's pattern; null where no route was found. */
  readonly route: string | null;
  /** 499 where the client left before the response was sent. */
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
