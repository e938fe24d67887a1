import { applyDecorators, Controller, Get, Header, Param, Query, Req, Res, UseFilters } from '@nestjs/common';
import { ApiFoundResponse, ApiOkResponse, ApiParam, ApiQuery, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DeliveryLocator } from '../delivery/delivery-locator.js';
import { DeliveryService } from '../delivery/delivery.service.js';
import { ExplanationView } from '../delivery/explanation.view.js';
import { IMAGE_HEADERS, makeRedirect, writeRedirect } from '../delivery/response-headers.js';
import { Route } from '../docs/route.js';
import { runtimeOf } from '../logging/request-trail.js';
import { ProblemFilter } from '../problems/problem.filter.js';

type UntrustedQuery = Readonly<Record<string, unknown>>;

/** What a token, or a public image, may be refused with. */
const REFUSALS = {
  400: ['invalid_image_id', 'invalid_host'],
  401: ['token_required', 'invalid_token'],
  403: ['image_not_in_token', 'policy_violation'],
  404: ['image_not_found', 'overlay_not_found'],
  410: ['image_deleted'],
  422: ['invalid_transformation'],
  503: ['database_unavailable', 'issuer_unavailable', 'policy_unreadable'],
};
const Asks = (): MethodDecorator =>
  applyDecorators(
    ApiParam({
      name: 'image_id',
      schema: { type: 'string' },
      description: 'The image’s id; any name where the token has one `image_id`.',
    }),
    ApiQuery({ name: 'token', type: String, required: false, description: 'A JWT that an issuer sealed.' }),
    ...['width', 'height', 'crop'].map((name) =>
      ApiQuery({
        name,
        required: false,
        description: 'Of a public image that is asked for without a token: the parameter of that name.',
        schema: { type: 'string' },
      }),
    ),
  );

/** The sealed redirect, where `openRedirectLane` has not answered it, and what explains it. */
@ApiTags('images')
@UseFilters(new ProblemFilter(IMAGE_HEADERS))
@Controller('images')
export class ImagesController {
  constructor(
    private readonly deliveries: DeliveryService,
    private readonly locator: DeliveryLocator,
  ) {}

  @Get(':image_id')
  @Route('Redirects to the image under the sealed transformation', REFUSALS)
  @Asks()
  @ApiFoundResponse({ description: 'The Location is the image under the sealed transformation.' })
  async redirect(
    @Param('image_id') pathId: string,
    @Query() query: UntrustedQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const delivery = await this.deliveries.deliver({ pathId, query }, request);
    const redirect = makeRedirect(this.locator.locate(delivery.url, request));
    reply.hijack();
    writeRedirect({ request: request.raw, response: reply.raw }, redirect, {
      requestId: request.id,
      runtime: runtimeOf(reply),
      maxAge: delivery.maxAge,
    });
  }

  @Get(':image_id/explain')
  @Route('Explains what the redirect shows, and why', REFUSALS)
  @Header('Access-Control-Allow-Origin', '*')
  @Asks()
  @ApiOkResponse({ type: ExplanationView })
  async explain(
    @Param('image_id') pathId: string,
    @Query() query: UntrustedQuery,
    @Req() request: FastifyRequest,
  ): Promise<ExplanationView> {
    const delivery = await this.deliveries.deliver({ pathId, query }, request);
    return new ExplanationView(delivery, this.locator.locate(delivery.url, request));
  }
}
