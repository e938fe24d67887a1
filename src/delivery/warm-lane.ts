import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Drain } from '../health/drain.js';
import type { IssuerKeyUses } from '../issuers/issuer-key-uses.service.js';
import type { AddressOf } from '../limits/client-address.js';
import { TooManyRequestsError } from '../limits/limits.errors.js';
import type { RateLimits } from '../limits/rate-limits.js';
import { logLine } from '../logging/request-log.js';
import { requestIdOf, runtimeSince } from '../logging/request-trail.js';
import type { Observations } from '../metrics/observations.js';
import { writeRedirect } from './response-headers.js';
import type { WarmRedirect, WarmRedirects } from './warm-redirects.service.js';

/** What the lane asks on its way: what Fastify's hooks and Nest's controller ask on theirs. */
export interface LaneServices {
  readonly redirects: WarmRedirects;
  readonly limits: RateLimits;
  readonly keyUses: IssuerKeyUses;
  readonly drain: Drain;
  readonly addressOf: AddressOf;
  readonly observations: Observations;
  readonly logger: Logger;
}

const ROUTE = '/images/:image_id';

/**
 * Answers warm redirects before Fastify routes them: a router, its hooks and Nest's handlers cost more than all that a
 * warm redirect still has to be asked. Whatever is not plainly one goes the whole way, as if there were no lane.
 */
export function openWarmLane(server: FastifyInstance, services: LaneServices): void {
  const { redirects, limits, keyUses, drain, addressOf, observations, logger } = services;
  // Whoever is counted in Redis waits for it.
  if (limits.waits) return;
  const [goTheWholeWay] = server.server.listeners('request') as [RequestListener];
  server.server.removeListener('request', goTheWholeWay);
  server.server.prependListener('request', (request, response) => {
    const warm = findWarm(request);
    if (warm === null || !spend(request, warm)) goTheWholeWay(request, response);
    else answer(request, response, warm);
  });

  function findWarm({ method, url = '', headers }: IncomingMessage): WarmRedirect | null {
    if ((method !== 'GET' && method !== 'HEAD') || server.isUnderPressure()) return null;
    return redirects.find(url, headers.host);
  }

  /** Counts the request; false where it must be refused, for which the whole way has the answer. */
  function spend(request: IncomingMessage, { issuer }: WarmRedirect): boolean {
    try {
      // Looked at first, so that what the issuer has used up is not counted for the address twice.
      void limits.spendIssuer(issuer.id, 0);
      void limits.spendAddress(addressOf(request));
      void limits.spendIssuer(issuer.id);
      return true;
    } catch (error) {
      if (error instanceof TooManyRequestsError) return false;
      throw error;
    }
  }

  function answer(request: IncomingMessage, response: ServerResponse, warm: WarmRedirect): void {
    const startedAt = performance.now();
    keyUses.count(warm.key.id);
    if (drain.draining) response.shouldKeepAlive = false;
    const requestId = requestIdOf(request.headers);
    if (logger.isLevelEnabled('info')) {
      response.once('finish', () => {
        logLine(logger, {
          request_id: requestId,
          method: request.method ?? '',
          route: ROUTE,
          status: response.statusCode,
          ms: performance.now() - startedAt,
          issuer_id: warm.issuer.id,
          problem_code: null,
        });
      });
    }
    const sent = { requestId, runtime: runtimeSince(startedAt), maxAge: redirects.maxAgeOf(warm) };
    writeRedirect(response, warm.redirect, sent);
    observations.warmRedirect(performance.now() - startedAt);
  }
}
