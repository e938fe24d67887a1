import { Controller, Get, Header, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiProduces, ApiTags } from '@nestjs/swagger';
import { AdminKeyGuard } from '../../admin/access/admin-key.guard.js';
import { Route } from '../../platform/openapi/route.js';
import { AdminAttemptsGuard } from '../../admin/access/admin-attempts.guard.js';
import { MetricsService } from './metrics.service.js';

/** Metrics for Prometheus. Requires an admin key with the scope `read` and no issuer: the numbers cover all issuers. */
@ApiTags('metrics')
@ApiBearerAuth()
@UseGuards(AdminAttemptsGuard, AdminKeyGuard)
@Controller('metrics')
export class MetricsController {
  constructor(private readonly metrics: MetricsService) {}

  @Get()
  @Route('Reads the metrics')
  @Header('Content-Type', 'text/plain; version=0.0.4; charset=utf-8')
  @ApiProduces('text/plain')
  @ApiOkResponse({ description: 'Prometheus’s text format.', schema: { type: 'string' } })
  async read(): Promise<string> {
    return this.metrics.read();
  }
}
