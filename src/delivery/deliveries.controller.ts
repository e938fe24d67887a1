import { Body, Controller, HttpCode, Ip, Post } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { DeliveriesService } from './deliveries.service.js';
import { CreateDeliveriesDto, DeliveriesView } from './deliveries.dto.js';
import { Observations } from '../metrics/observations.js';
import type { ReachedBy } from './origin.js';
import { RequestReachedBy } from './request-origin.js';

/** Many redirects' Locations at once, for galleries and backends that embed URLs. */
@ApiTags('deliveries')
@Controller('deliveries')
export class DeliveriesController {
  constructor(
    private readonly deliveries: DeliveriesService,
    private readonly observations: Observations,
  ) {}

  @Post()
  @HttpCode(200)
  @ApiOkResponse({ type: DeliveriesView })
  async create(
    @Body() dto: CreateDeliveriesDto,
    @RequestReachedBy() reachedBy: ReachedBy,
    @Ip() address: string,
  ): Promise<DeliveriesView> {
    const deliveries = await this.deliveries.deliverAll(dto.deliveries, reachedBy, address);
    for (const { problem } of deliveries) this.observations.deliveries.add(problem?.code ?? 'ok');
    return { deliveries };
  }
}
