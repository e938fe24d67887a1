import { Controller, Get, Header, Param, Query, Req, Res, UseFilters } from '@nestjs/common';
import { ApiFoundResponse, ApiOkResponse, ApiQuery, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DeliveryLocator } from '../delivery/delivery-locator.js';
import { DeliveryService } from '../delivery/delivery.service.js';
import { ExplanationView } from '../delivery/explanation.view.js';
import { IMAGE_HEADERS, makeRedirect, writeRedirect } from '../delivery/response-headers.js';
import { runtimeOf } from '../logging/request-trail.js';
import { ProblemFilter } from '../problems/problem.filter.js';

type UntrustedQuery = Readonly<Record<string, unknown>>;

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
  @ApiQuery({ name: 'token', required: false, description: 'A JWT that an issuer sealed.' })
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
  @Header('Access-Control-Allow-Origin', '*')
  @ApiQuery({ name: 'token', required: false, description: 'A JWT that an issuer sealed.' })
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
