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

/** Milliseconds the database may take to show that it is there. */
const READY_TIMEOUT = 1_000;

/** How the service is. */
class HealthView {
  @ApiProperty({
    enum: ['ok', 'stale'],
    description: '`stale`: the database is gone, and what is known of it is served on.',
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

  /** The process answers. */
  @Get('live')
  @Route('Tells whether the process answers')
  @Header('Cache-Control', 'no-store')
  @ApiOkResponse({ type: HealthView })
  live(): HealthView {
    return { status: 'ok' };
  }

  /**
   * The database answers too, or has until lately: what is known is served on, and `stale` says so. A balancer that
   * took all replicas out at once would help nobody.
   * @throws NotReadyError, DrainingError (503)
   */
  @Get('ready')
  @Route('Tells whether the service can do its work', ['not_ready', 'draining', 'overloaded'])
  @Header('Cache-Control', 'no-store')
  @ApiOkResponse({ type: HealthView })
  async ready(): Promise<HealthView> {
    if (this.drain.draining) throw new DrainingError();
    try {
      await withDeadline<unknown>(this.dataSource.query('SELECT 1'), READY_TIMEOUT, () => {
        throw new Error('The database is too slow');
      });
    } catch {
      if (this.lookups.silentFor < this.environment.maxStale) return { status: 'stale' };
      throw new NotReadyError();
    }
    return { status: 'ok' };
  }
}
