import 'reflect-metadata';
import type { IncomingMessage } from 'node:http';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { fastify } from 'fastify';
import { limitBodyDepth } from './admin/body-depth.js';
import { AppModule } from './app.module.js';
import type { Environment } from './config/environment.js';
import { closeBehindUpgrade, closeGracefully, endConnectionsOnDrain } from './graceful-close.js';
import { Drain } from './health/drain.js';
import { afterCount } from './limits/after-count.js';
import { limitAddresses } from './limits/address-limit.js';
import { clientAddress, peerAddress, trustFor } from './limits/client-address.js';
import { type PressureBounds, pressureBounds, shedLoad } from './limits/load-shedding.js';
import { RateLimits } from './limits/rate-limits.js';
import { JsonLogger, makeLogger } from './logging/json.logger.js';
import { logRequests, logWhenSent } from './logging/request-log.js';
import { requestIdOf } from './logging/request-trail.js';
import { ProblemFilter } from './problems/problem.filter.js';
import { setDefaultHeaders } from './delivery/response-headers.js';
import { DeliveryLocator } from './delivery/delivery-locator.js';
import { DeliveryService } from './delivery/delivery.service.js';
import { openRedirectLane } from './delivery/redirect-lane.js';
import { WarmRedirects } from './delivery/warm-redirects.service.js';
import { IssuerKeyUses } from './issuers/issuer-key-uses.service.js';
import { Observations, observeAnswers } from './metrics/observations.js';
import { keepNotificationsRaw } from './notifications/raw-notification.js';
import { acceptForms } from './originals/original-upload.js';
import { keepPolicyShares } from './policy/policy-shares.js';
import { startTracing } from './tracing/start-tracing.js';
import { type CountUnread, refuseBrokenRequest } from './problems/broken-requests.js';
import { BODY_LIMITS, REQUEST_LIMITS } from './problems/request-limits.js';

/** Bounds that a test may narrow, so as not to wait for the real ones. */
export interface AppBounds {
  readonly requests?: typeof REQUEST_LIMITS;
  readonly pressure?: PressureBounds;
}

/** Builds the service, ready to listen; the caller closes it. */
export async function createApp(
  environment: Environment,
  { requests = REQUEST_LIMITS, pressure = pressureBounds(environment) }: AppBounds = {},
): Promise<NestFastifyApplication> {
  const logger = makeLogger(environment.logLevel);
  const problems = new ProblemFilter();
  const observations = new Observations();
  // Set below, before any request comes.
  let countUnread: CountUnread = () => undefined;
  let countUnrouted: (request: IncomingMessage) => Promise<void> | undefined = () => undefined;
  const tracing = await startTracing(environment.tracing);
  const server = fastify({
    ...requests,
    // A request that arrives while the server closes is answered as any other, and its connection ended.
    return503OnClosing: false,
    trustProxy: trustFor(environment.trustProxy),
    requestIdHeader: false,
    genReqId: (request) => requestIdOf(request.rawHeaders),
    clientErrorHandler: (error, socket) => {
      refuseBrokenRequest(error, socket, countUnread);
    },
    // A path that no router can read never gets to Nest's filters, nor to hooks and decorators.
    frameworkErrors: (error, request, reply) => {
      request.issuerId = null;
      request.limitScope = null;
      closeBehindUpgrade(request.raw, reply.raw);
      logWhenSent(logger, request, reply);
      const refuse = (problem: unknown): void => {
        problems.answer(problem, request, reply);
        observations.answered(request, reply);
      };
      afterCount(
        () => countUnrouted(request.raw),
        () => {
          refuse(error);
        },
        refuse,
      );
    },
  });
  // Node hides what is beyond the first 2,000, a body's announcement too. REQUEST_LIMITS bounds their bytes.
  server.server.maxHeadersCount = 0;
  // An expectation that is unknown here is ignored (RFC 9110 §10.1.1): Node would refuse it past every limit and log.
  server.server.on('checkExpectation', (request, response) =>
    server.server.emit('request', request, response),
  );
  // Bodies are JSON: Fastify reads text too, and Nest (see bodyParser) would add forms.
  server.removeContentTypeParser('text/plain');
  tracing.watch(server);
  logRequests(server, logger);
  observeAnswers(server, observations);
  setDefaultHeaders(server);
  closeGracefully(server);
  server.addHook('onRequest', ({ raw }, reply, done) => {
    closeBehindUpgrade(raw, reply.raw);
    done();
  });
  acceptForms(server);
  keepNotificationsRaw(server, keepPolicyShares);
  shedLoad(server, pressure);
  limitBodyDepth(server);
  server.addHook('onRoute', (route) => {
    const limit = BODY_LIMITS[route.url];
    if (limit !== undefined) route.bodyLimit = limit;
  });
  const app = await NestFactory.create<NestFastifyApplication>(
    await AppModule.for(environment, { observations, tracing }),
    new FastifyAdapter(server),
    {
      logger: new JsonLogger(logger),
      abortOnError: false,
      bodyParser: false,
      forceCloseConnections: false,
    },
  );
  endConnectionsOnDrain(server, app.get(Drain));
  const limits = app.get(RateLimits);
  const addressOf = clientAddress(environment.trustProxy, () => {
    if (!limits.countsAddresses) return;
    logger.warn(
      'A request came with X-Forwarded-For, and TRUST_PROXY is not set: behind a proxy, all clients share one rate limit',
    );
  });
  limitAddresses(server, limits, addressOf);
  countUnrouted = (request) => limits.spendAddress(addressOf(request));
  const peerOf = peerAddress(environment.trustProxy);
  countUnread = (socket) => {
    const address = peerOf(socket);
    return address === null ? undefined : limits.spendAddress(address);
  };
  // A lane that answers before Fastify has no span.
  if (environment.tracing === null) {
    openRedirectLane(server, {
      deliveries: app.get(DeliveryService),
      locator: app.get(DeliveryLocator),
      warm: app.get(WarmRedirects),
      limits,
      keyUses: app.get(IssuerKeyUses),
      drain: app.get(Drain),
      addressOf,
      observations,
      logger,
    });
  }
  if (environment.docs) {
    const { serveDocs } = await import('./docs/openapi.js');
    serveDocs(app);
  }
  return app;
}
