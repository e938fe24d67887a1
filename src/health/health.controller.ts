import { Controller, Get, Header, Inject } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { DataSource } from 'typeorm';
import { ENVIRONMENT } from '../config/config.module.js';
import type { Environment } from '../config/environment.js';
import { DatabaseLookups } from '../directory/database-lookups.service.js';
import { Drain } from './drain.js';
import { DrainingError, NotReadyError } from './health.errors.js';

/** Milliseconds the database may take to show that it is there. */
const READY_TIMEOUT = 1_000;

/** For load balancers and orchestrators. */
@ApiTags('health')
@Controller('health')
export class HealthController {
  constructor(
    private readonly dataSource: DataSource,
    private readonly lookups: DatabaseLookups,
    @Inject(ENVIRONMENT) private readonly environment: Pick<Environment, 'maxStale'>,
    private readonly drain: Drain,
  ) {}

  /** The process answers. */
  @Get('live')
  @Header('Cache-Control', 'no-store')
  @ApiOkResponse()
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  /**
   * The database answers too, or has until lately: what is known is served on, and `stale` says so. A balancer that
   * took all replicas out at once would help nobody.
   * @throws NotReadyError, DrainingError (503)
   */
  @Get('ready')
  @Header('Cache-Control', 'no-store')
  @ApiOkResponse()
  async ready(): Promise<{ status: 'ok' | 'stale' }> {
    if (this.drain.draining) throw new DrainingError();
    try {
      await Promise.race([this.dataSource.query('SELECT 1'), rejectAfter(READY_TIMEOUT)]);
    } catch {
      if (this.lookups.silentFor < this.environment.maxStale) return { status: 'stale' };
      throw new NotReadyError();
    }
    return { status: 'ok' };
  }
}

function rejectAfter(milliseconds: number): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => {
      reject(new Error('The database is too slow'));
    }, milliseconds).unref();
  });
}
