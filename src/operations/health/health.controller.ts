import { Controller, Get, Header, Inject } from '@nestjs/common';
import { ApiOkResponse, ApiProperty, ApiTags } from '@nestjs/swagger';
import { DataSource } from 'typeorm';
import { ENVIRONMENT } from '../../platform/config/config.module.js';
import type { Environment } from '../../platform/config/environment.js';
import { DatabaseLookups } from '../../directory/database-lookups.service.js';
import { Route } from '../../platform/openapi/route.js';
import { withDeadline } from '../../platform/deadline.js';
import { Drain } from '../../platform/http/drain.js';
import { DrainingError, NotReadyError } from './health.errors.js';

/** Milliseconds that the database may take to respond. */
const READY_TIMEOUT = 1_000;

/** How the service is. */
class HealthView {
  @ApiProperty({
    enum: ['ok', 'stale'],
    description: '`stale`: the database is unavailable, and cached rows are served.',
  })
  readonly status!: 'ok' | 'stale';
}

/** For load balancers and orchestrators. */
@ApiTags('health')
@Controller('health')
export class HealthController {
  constructor(
    private readonly dataSource: DataSource,
    private readonly drain: Drain,
    private readonly lookups: DatabaseLookups,
    @Inject(ENVIRONMENT) private readonly environment: Pick<Environment, 'maxStale'>,
  ) {}

  /** The process responds. */
  @Get('live')
  @Route('Reports whether the process responds')
  @Header('Cache-Control', 'no-store')
  @ApiOkResponse({ type: HealthView })
  live(): HealthView {
    return { status: 'ok' };
  }

  /**
   * The database responds, or did until recently: then cached rows are served and the status is `stale`. A load
   * balancer must not remove all replicas at once.
   * @throws NotReadyError, DrainingError (503)
   */
  @Get('ready')
  @Route('Reports whether the service is ready', ['not_ready', 'draining', 'overloaded'])
  @Header('Cache-Control', 'no-store')
  @ApiOkResponse({ type: HealthView })
  async ready(): Promise<HealthView> {
    if (this.drain.draining) throw new DrainingError();
    try {
      await withDeadline<unknown>(this.dataSource.query('SELECT 1'), READY_TIMEOUT, () => {
        throw new Error('The database is too slow');
      });
    } catch {
      if (this.lookups.unresponsiveFor < this.environment.maxStale) return { status: 'stale' };
      throw new NotReadyError();
    }
    return { status: 'ok' };
  }
}
