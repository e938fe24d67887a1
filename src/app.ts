import 'reflect-metadata';
import { createServer, type RequestListener, type Server } from 'node:http';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { fastify, type FastifyInstance } from 'fastify';
import { limitBodyDepth } from './platform/http/body-depth.js';
import { AppModule } from './app.module.js';
import { AccountsService } from './admin/accounts/accounts.service.js';
import type { Environment } from './platform/config/environment.js';
import { Drain } from './platform/http/drain.js';
import { clientAddress, peerAddress, trustFor } from './platform/rate-limit/client-address.js';
import { measurePressure, type PressureBounds, pressureBounds } from './platform/http/load-shedding.js';
import { RateLimits } from './platform/rate-limit/rate-limits.js';
import { JsonLogger, createLogger } from './platform/observability/json.logger.js';
import { RequestLog } from './platform/observability/request-log.js';
import { Observations } from './platform/observability/observations.js';
import { keepNotificationsRaw } from './admin/notifications/raw-notification.js';
import { acceptForms } from './originals/original-upload.js';
import { readAdminBody } from './policy/policy-body.js';
import { type CountUnread, refuseBrokenRequest } from './platform/http/broken-requests.js';
import { BODY_LIMITS, REQUEST_LIMITS } from './platform/http/request-limits.js';
import { exchangeOf } from './platform/http/exchange.js';
import { closeGracefully } from './platform/http/graceful-close.js';
import { DEFAULT_HEADERS } from './platform/http/header-list.js';
import { rawResponses } from './platform/http/raw-response.js';
import { RequestLifecycle } from './platform/http/request-lifecycle.js';
import { ProblemFilter } from './platform/http/problem.filter.js';
import { ImagesController } from './redirect/images.controller.js';
import { startTracing } from './platform/observability/start-tracing.js';

const TEST_TOKENS =
  'Cloudinary documents __cld_token__ for private CDNs only, so test that URLs open and expire';

/** Bounds that tests may lower. */
export interface AppBounds {
  readonly requests?: typeof REQUEST_LIMITS;
  readonly pressure?: PressureBounds;
}

/** Builds the service, ready to listen; the caller closes it. */
export async function createApp(
  environment: Environment,
  { requests = REQUEST_LIMITS, pressure = pressureBounds(environment) }: AppBounds = {},
): Promise<NestFastifyApplication> {
  const logger = createLogger(environment.logLevel);
  const problems = new ProblemFilter();
  const observations = new Observations();
  // Set below, before the first request.
  let countUnread: CountUnread = () => undefined;
  const tracing = await startTracing(environment.tracing);
  let lifecycle: RequestLifecycle | null = null;
  let fastifyHandler: RequestListener = () => undefined;
  const server = fastify({
    ...requests,
    // Every request passes the lifecycle first, which passes most of them on to Fastify.
    serverFactory: (handler, options) => {
      fastifyHandler = handler;
      return createHttpServer(options, requests, (request, response) => {
        lifecycle?.handle(request, response);
      });
    },
    // A request that arrives while the server closes is served as usual, and its connection closed.
    return503OnClosing: false,
    trustProxy: trustFor(environment.trustProxy),
    requestIdHeader: false,
    genReqId: (request) => exchangeOf(request).requestId,
    clientErrorHandler: (error, socket) => {
      refuseBrokenRequest(error, socket, countUnread);
    },
    // A path that the router cannot decode does not reach Nest's filters.
    frameworkErrors: (error, request, reply) => {
      problems.respond(error, request, reply);
    },
  });
  // Bodies are JSON: Fastify also parses text, and Nest (see bodyParser) would add forms.
  server.removeContentTypeParser('text/plain');
  followExchanges(server);
  closeGracefully(server);
  acceptForms(server);
  keepNotificationsRaw(server, readAdminBody);
  measurePressure(server, pressure);
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
  const limits = app.get(RateLimits);
  const addressOf = clientAddress(environment.trustProxy, () => {
    if (!limits.countsAddresses) return;
    logger.warn(
      'A request came with X-Forwarded-For, and TRUST_PROXY is not set: behind a proxy, all clients share one rate limit',
    );
  });
  const peerOf = peerAddress(environment.trustProxy);
  countUnread = (socket) => {
    const address = peerOf(socket);
    if (address !== null) limits.consumeAddress(address);
  };
  if (!rawResponses.isSafe) {
    logger.warn(
      `Node ${process.version} stores a response in members that this release does not know: responses are sent by writeHead, which is slower`,
    );
  }
  const { authToken, privateCdn, host } = environment.cloudinary;
  if (authToken !== null && !privateCdn && host === null) {
    logger.warn(
      `CLOUDINARY_AUTH_TOKEN_KEY is set, and CLOUDINARY_URL has neither private_cdn nor secure_distribution: ${TEST_TOKENS}`,
    );
  }
  const accounts = await app.get(AccountsService).listTokensWithoutCdn();
  if (accounts.length > 0) {
    logger.warn(
      { accounts },
      `These accounts have an auth_token_key, and neither private_cdn nor a host: ${TEST_TOKENS}`,
    );
  }
  lifecycle = new RequestLifecycle(
    {
      limits,
      addressOf,
      drain: app.get(Drain),
      isOverloaded: () => server.isUnderPressure(),
      log: new RequestLog(logger),
      observations,
      tracing,
    },
    app.get(ImagesController),
    fastifyHandler,
  );
  if (environment.docs) {
    const { serveDocs } = await import('./platform/openapi/openapi.js');
    serveDocs(app);
  }
  return app;
}

/** Node's server, with the bounds that Fastify sets on the servers it creates. */
function createHttpServer(
  { requestTimeout, keepAliveTimeout }: Record<string, unknown>,
  { http }: typeof REQUEST_LIMITS,
  listener: RequestListener,
): Server {
  const server = createServer(http, listener);
  // Node drops headers beyond the first 2,000, Content-Length too; `http` bounds their bytes.
  server.maxHeadersCount = 0;
  // An unknown expectation is ignored (RFC 9110 §10.1.1): Node would refuse it without limits and log.
  server.on('checkExpectation', listener);
  server.requestTimeout = requestTimeout as number;
  server.keepAliveTimeout = keepAliveTimeout as number;
  return server;
}

/** Sets each exchange's route, and the default headers, id and runtime of Fastify's responses. */
function followExchanges(server: FastifyInstance): void {
  server.addHook('onRequest', (request, _reply, done) => {
    exchangeOf(request.raw).route = request.routeOptions.url ?? null;
    done();
  });
  server.addHook('onSend', (request, reply, payload, done) => {
    for (const [name, value] of DEFAULT_HEADERS) {
      if (!reply.hasHeader(name)) reply.header(name, value);
    }
    const { requestId, runtime } = exchangeOf(request.raw);
    reply.header('X-Request-Id', requestId).header('X-Runtime', runtime);
    done(null, payload);
  });
}
