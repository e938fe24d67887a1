import { Body, Controller, HttpCode, Ip, Post, Req } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { exchangeOf } from '../platform/http/exchange.js';
import { ShallowBodyPipe } from '../platform/http/validation.pipe.js';
import { Route } from '../platform/openapi/route.js';
import { DeliveriesService } from './deliveries.service.js';
import { CreateDeliveriesDto, DeliveriesView } from './deliveries.dto.js';
import { Observations } from '../platform/observability/observations.js';
import { Origin } from '../platform/http/origin.decorator.js';
import type { RequestOrigin } from '../platform/http/request-origin.js';

/** A `Pick`, not the class: Nest's own pipe would copy every item of the class. */
type UncheckedDeliveries = Pick<CreateDeliveriesDto, 'deliveries'>;

/** Returns the URLs of many redirects at once, for galleries and backends that embed them. */
@ApiTags('deliveries')
@Controller('deliveries')
export class DeliveriesController {
  constructor(
    private readonly deliveries: DeliveriesService,
    private readonly observations: Observations,
  ) {}

  @Post()
  @Route('Locates up to 500 images at once', ['invalid_host'])
  @HttpCode(200)
  @ApiBody({ type: CreateDeliveriesDto })
  @ApiOkResponse({ type: DeliveriesView })
  async create(
    @Body(new ShallowBodyPipe(CreateDeliveriesDto)) { deliveries }: UncheckedDeliveries,
    @Origin() origin: RequestOrigin,
    @Ip() address: string,
    @Req() { raw }: FastifyRequest,
  ): Promise<DeliveriesView> {
    const results = await this.deliveries.deliverAll(deliveries, origin, address, exchangeOf(raw).span);
    for (const { problem } of results) this.observations.deliveries.add(problem?.code ?? 'ok');
    return { deliveries: results };
  }
}
