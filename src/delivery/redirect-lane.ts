import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Drain } from '../health/drain.js';
import type { IssuerKeyUses } from '../issuers/issuer-key-uses.service.js';
import type { AddressOf } from '../limits/client-address.js';
import type { RateLimits } from '../limits/rate-limits.js';
import { logLine } from '../logging/request-log.js';
import { type IssuerTrail, requestIdOf, runtimeText } from '../logging/request-trail.js';
import type { Observations } from '../metrics/observations.js';
import { sentStatus } from '../problems/broken-requests.js';
import { ProblemFilter } from '../problems/problem.filter.js';
import { announcesBody } from './announced-body.js';
import type { DeliveryLocator } from './delivery-locator.js';
import type { Delivery, DeliveryService } from './delivery.service.js';
import { IMAGE_HEADERS, makeRedirect, type Redirect, writeRedirect } from './response-headers.js';
import { hasNothingElse, isRead, type SealedUrl, splitSealedUrl } from './sealed-url.js';
import type { WarmRedirect, WarmRedirects } from './warm-redirects.service.js';

/** What the lane asks on its way: what Fastify's hooks and Nest's controller ask on theirs. */
export interface LaneServices {
  readonly deliveries: DeliveryService;
  readonly locator: DeliveryLocator;
  readonly warm: WarmRedirects;
  readonly limits: RateLimits;
  readonly keyUses: IssuerKeyUses;
  readonly drain: Drain;
  readonly addressOf: AddressOf;
  readonly observations: Observations;
  readonly logger: Logger;
}

/** One request on its way, and what its log line learns. */
interface Exchange extends IssuerTrail {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Where the Location depends on it. */
  readonly host: string | undefined;
  /** Whether the token was accepted lately. */
  readonly again: boolean;
  readonly requestId: string;
  /** By `performance.now()`. */
  readonly startedAt: number;
  problemCode: string | null;
}

const ROUTE = '/images/:image_id';

/**
 * Answers sealed redirects before Fastify routes them: a router, its hooks and Nest's handlers cost more than all that
 * such a request is asked. The services and the filter are those of the controller, which answers every other form of
 * the same request, and anything at all while the lane is closed.
 */
export function openRedirectLane(server: FastifyInstance, services: LaneServices): void {
  const { deliveries, locator, warm, limits, keyUses, drain, addressOf, observations, logger } = services;
  // Whoever is counted in Redis waits for it; a Location that a proxy decides needs Fastify's reading of its headers.
  if (limits.waits || locator.needsForwarded) return;
  const problems = new ProblemFilter(IMAGE_HEADERS);
  const [goTheWholeWay] = server.server.listeners('request') as [RequestListener];
  server.server.removeListener('request', goTheWholeWay);
  server.server.prependListener('request', (request, response) => {
    const { url = '' } = request;
    const again = warm.wasAccepted(url);
    const host = locator.needsHost ? request.headers.host : undefined;
    const split = isRead(request) && !announcesBody(request.rawHeaders) ? splitSealedUrl(url) : null;
    // Only plain ones are known: what is known need not be looked at for anything that is not.
    const known = again && split !== null ? warm.find(split, host) : null;
    const asked = known ?? split;
    if (asked === null || server.isUnderPressure() || (known === null && !hasNothingElse(url, asked))) {
      goTheWholeWay(request, response);
    } else answer(asked, { request, response, host, again });
  });

  function answer(
    asked: WarmRedirect | SealedUrl,
    { request, response, host, again }: Pick<Exchange, 'request' | 'response' | 'host' | 'again'>,
  ): void {
    const requestId = requestIdOf(request.rawHeaders);
    const startedAt = performance.now();
    const exchange: Exchange = {
      request,
      response,
      host,
      again,
      requestId,
      startedAt,
      issuerId: null,
      problemCode: null,
    };
    if (drain.draining) response.shouldKeepAlive = false;
    if (logger.isLevelEnabled('info')) logWhenSent(exchange);
    try {
      void limits.spendAddress(addressOf(request));
      if ('redirect' in asked) answerWarm(asked, exchange);
      else answerWhole(asked, exchange);
    } catch (error) {
      refuse(error, exchange);
    }
  }

  function answerWarm(known: WarmRedirect, exchange: Exchange): void {
    exchange.issuerId = known.issuerId;
    void limits.spendIssuer(known.issuerId);
    keyUses.count(known.keyId);
    redirect('warm', exchange, known.redirect, warm.maxAgeOf(known));
  }

  function answerWhole(asked: SealedUrl, exchange: Exchange): void {
    const { pathId, token } = asked;
    const delivery = deliveries.deliver({ pathId, query: { token } }, exchange);
    if (delivery instanceof Promise) {
      delivery
        .then((found) => {
          send(asked, exchange, found);
        })
        .catch((error: unknown) => {
          refuse(error, exchange);
        });
    } else send(asked, exchange, delivery);
  }

  function send(asked: SealedUrl, exchange: Exchange, delivery: Delivery): void {
    const { host, again } = exchange;
    const location = locator.locate(delivery.url, { protocol: 'http', host });
    redirect('sealed', exchange, makeRedirect(location), delivery.maxAge);
    if (again) warm.keep(asked, host, delivery, location);
    else warm.note(asked.token);
  }

  function redirect(way: 'warm' | 'sealed', exchange: Exchange, made: Redirect, maxAge: number): void {
    const { requestId, startedAt } = exchange;
    const milliseconds = performance.now() - startedAt;
    writeRedirect(exchange, made, { requestId, runtime: runtimeText(milliseconds), maxAge });
    observations.redirected(way, milliseconds);
  }

  function refuse(error: unknown, exchange: Exchange): void {
    const { request, response, requestId, startedAt } = exchange;
    const milliseconds = performance.now() - startedAt;
    const runtime = runtimeText(milliseconds);
    const told = problems.write(error, { request, response, requestId, runtime });
    exchange.problemCode = told.code;
    observations.refused(told, response.statusCode, milliseconds);
  }

  function logWhenSent(exchange: Exchange): void {
    const { request, response, requestId, startedAt } = exchange;
    // Comes once, also where the client left before the end.
    response.once('close', () => {
      logLine(logger, {
        request_id: requestId,
        method: request.method ?? '',
        route: ROUTE,
        status: sentStatus(response),
        ms: performance.now() - startedAt,
        issuer_id: exchange.issuerId,
        problem_code: exchange.problemCode,
      });
    });
  }
}
