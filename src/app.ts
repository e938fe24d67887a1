import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { fastify } from 'fastify';
import { AppModule } from './app.module.js';
import type { Environment } from './config/environment.js';
import { serveDocs } from './docs/openapi.js';
import { closeGracefully } from './graceful-close.js';
import { JsonLogger, makeLogger } from './logging/json.logger.js';
import { logAnswer, logRequests } from './logging/request-log.js';
import { requestIdOf } from './logging/request-trail.js';
import { ProblemFilter } from './problems/problem.filter.js';
import { setDefaultHeaders } from './delivery/response-headers.js';
import { acceptForms } from './originals/original-upload.js';
import { answerBrokenRequest, BODY_LIMITS, REQUEST_LIMITS } from './problems/request-limits.js';

/** Builds the service, ready to listen; the caller closes it. */
export async function createApp(environment: Environment): Promise<NestFastifyApplication> {
  const logger = makeLogger(environment.logLevel);
  const problems = new ProblemFilter();
  const server = fastify({
    ...REQUEST_LIMITS,
    trustProxy: trustFor(environment.trustProxy),
    requestIdHeader: false,
    genReqId: (request) => requestIdOf(request.headers),
    clientErrorHandler: answerBrokenRequest,
    // A path that no router can read never gets to Nest's filters, nor to hooks and decorators.
    frameworkErrors: (error, request, reply) => {
      request.issuerId = null;
      problems.answer(error, request, reply);
      logAnswer(logger, request, reply);
    },
  });
  // Bodies are JSON: Fastify reads text too, and Nest (see bodyParser) would add forms.
  server.removeContentTypeParser('text/plain');
  logRequests(server, logger);
  setDefaultHeaders(server);
  closeGracefully(server);
  acceptForms(server);
  server.addHook('onRoute', (route) => {
    const limit = BODY_LIMITS[route.url];
    if (limit !== undefined) route.bodyLimit = limit;
  });
  const app = await NestFactory.create<NestFastifyApplication>(
    AppModule.for(environment),
    new FastifyAdapter(server),
    {
      logger: new JsonLogger(logger),
      abortOnError: false,
      bodyParser: false,
      forceCloseConnections: false,
    },
  );
  if (environment.docs) serveDocs(app);
  return app;
}

/** Fastify's own form of `TRUST_PROXY`. */
function trustFor(
  trustProxy: Environment['trustProxy'],
): false | string[] | ((address: string, hop: number) => boolean) {
  if (trustProxy === false) return false;
  return typeof trustProxy === 'number' ? (_, hop) => hop < trustProxy : [...trustProxy];
}
