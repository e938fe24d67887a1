import type { IncomingMessage } from 'node:http';
import {
  applyDecorators,
  Controller,
  Get,
  Header,
  Inject,
  Param,
  Query,
  Req,
  Res,
  UseFilters,
} from '@nestjs/common';
import { ApiFoundResponse, ApiOkResponse, ApiParam, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ENVIRONMENT } from '../platform/config/config.module.js';
import type { Environment } from '../platform/config/environment.js';
import { Route } from '../platform/openapi/route.js';
import { announcesBody } from '../platform/http/announced-body.js';
import { type Exchange, exchangeOf } from '../platform/http/exchange.js';
import { Origin } from '../platform/http/origin.decorator.js';
import { originReader, type RequestOrigin } from '../platform/http/request-origin.js';
import { Preflight } from '../platform/http/preflight.js';
import type { MountedHandler } from '../platform/http/request-lifecycle.js';
import { ProblemFilter } from '../platform/http/problem.filter.js';
import type { RedirectRequest } from './decide-redirect.js';
import { ExplanationView } from './explanation.view.js';
import { LocationBuilder } from './location-builder.js';
import { isProxied, ProxiedDelivery } from './proxied-delivery.js';
import { IMAGE_HEADERS, writeRedirect } from './redirect-response.js';
import { readBearerToken } from './bearer-token.js';
import { readRedirectUrl } from './redirect-url.js';
import { type FoundRedirect, RedirectService } from './redirect.service.js';

/** Errors of a request for an image, with or without a token. */
const REFUSALS = [
  'invalid_image_id',
  'invalid_host',
  'two_tokens',
  'token_required',
  'invalid_token',
  'image_not_in_token',
  'address_not_in_token',
  'policy_violation',
  'image_not_found',
  'overlay_not_found',
  'image_format_unknown',
  'image_deleted',
  'image_rejected',
  'invalid_transformation',
  'picture_budget_spent',
  'counter_unavailable',
  'database_unavailable',
  'download_unavailable',
  'issuer_unavailable',
  'jwks_unavailable',
  'account_unavailable',
  'policy_unreadable',
  'proxy_disabled',
] as const;
/** Errors of an image that this service delivers itself. */
const PROXY_FAILURES = [
  'original_missing',
  'range_not_satisfiable',
  'upstream_failed',
  'upstream_timeout',
] as const;
const ApiRedirectRequest = (): MethodDecorator =>
  applyDecorators(
    ApiParam({
      name: 'image_id',
      schema: { type: 'string' },
      description: 'The image’s id; may be any name if the token contains one `image_id`.',
    }),
    ApiQuery({
      name: 'token',
      type: String,
      required: false,
      description: 'A JWT signed by the issuer; or in `Authorization: Bearer TOKEN`.',
    }),
    ...['width', 'height', 'crop'].map((name) =>
      ApiQuery({
        name,
        required: false,
        description: 'For a public image requested without a token: the parameter of the same name.',
        schema: { type: 'string' },
      }),
    ),
  );

const BINARY = { schema: { type: 'string', format: 'binary' } } as const;
const PROXIED_TYPES = { 'image/*': BINARY, 'application/pdf': BINARY };

const problems = new ProblemFilter(IMAGE_HEADERS);

/** Redirects to images, and explains a redirect. */
@ApiTags('images')
@UseFilters(problems)
@Controller('images')
export class ImagesController implements MountedHandler {
  readonly prefix = '/images/';
  readonly headers = IMAGE_HEADERS;
  private readonly originOf: (request: IncomingMessage) => RequestOrigin;

  constructor(
    private readonly redirects: RedirectService,
    private readonly locations: LocationBuilder,
    private readonly delivery: ProxiedDelivery,
    @Inject(ENVIRONMENT) { trustProxy }: Pick<Environment, 'trustProxy'>,
  ) {
    this.originOf = originReader(trustProxy);
  }

  /**
   * Handles `GET` and `HEAD` of `/images/:image_id` before the router, which would cost more than a cached redirect.
   * Leaves the router what only it can judge: a body, an absolute URL, a segment that cannot be decoded.
   */
  handle(exchange: Exchange): boolean {
    const { request } = exchange;
    const { method, url = '' } = request;
    if ((method !== 'GET' && method !== 'HEAD') || announcesBody(request.rawHeaders)) return false;
    const redirectRequest = readRedirectUrl(url);
    if (redirectRequest === null) return false;
    exchange.route = '/images/:image_id';
    this.respond(exchange, redirectRequest);
    return true;
  }

  /** The same redirect, for requests that `handle` left to the router. */
  @Get(':image_id')
  @Route('Redirects to the image under the sealed transformation, or delivers it', [
    ...REFUSALS,
    ...PROXY_FAILURES,
  ])
  @ApiRedirectRequest()
  @ApiFoundResponse({ description: 'The Location is the image under the sealed transformation.' })
  @ApiOkResponse({ description: 'The image, if the policy’s `delivery` is `proxy`.', content: PROXIED_TYPES })
  @ApiResponse({ status: 206, description: 'The requested range of it.', content: PROXIED_TYPES })
  @ApiResponse({ status: 304, description: 'The client has the image already.' })
  redirect(
    @Param('image_id') pathId: string,
    @Query() query: RedirectRequest['query'],
    @Req() { raw }: FastifyRequest,
    @Res() reply: FastifyReply,
  ): void {
    reply.hijack();
    this.respond(exchangeOf(raw), { pathId, query });
  }

  @Get(':image_id/explain')
  @Route('Explains what the redirect shows, and why', REFUSALS)
  @Header('Access-Control-Allow-Origin', '*')
  @ApiRedirectRequest()
  @ApiOkResponse({ type: ExplanationView })
  async explain(
    @Param('image_id') pathId: string,
    @Query() query: RedirectRequest['query'],
    @Req() { raw }: FastifyRequest,
    @Origin() origin: RequestOrigin,
  ): Promise<ExplanationView> {
    const request = readBearerToken({ pathId, query }, raw);
    const decision = await this.redirects.decide(request, exchangeOf(raw));
    return new ExplanationView(decision, this.locations.linksOf(decision, request.query, origin));
  }

  @Preflight(':image_id')
  preflight(): void {
    // Its headers are the response.
  }

  @Preflight(':image_id/explain')
  preflightExplain(): void {
    // As above.
  }

  private respond(exchange: Exchange, request: RedirectRequest): void {
    const send = ({ redirect, isCached }: FoundRedirect): void => {
      if (isProxied(redirect)) {
        this.delivery.respond(exchange, redirect);
        return;
      }
      exchange.redirect = isCached ? 'cached' : redirect.hasToken ? 'token' : 'public';
      writeRedirect(exchange, redirect);
    };
    const refuse = (error: unknown): void => {
      problems.write(error, exchange);
    };
    try {
      const origin = this.locations.needsOrigin ? this.originOf(exchange.request) : null;
      const found = this.redirects.find(readBearerToken(request, exchange.request), origin, exchange);
      if (found instanceof Promise) found.then(send).catch(refuse);
      else send(found);
    } catch (error) {
      refuse(error);
    }
  }
}
