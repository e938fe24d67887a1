import { setTimeout as sleep } from 'node:timers/promises';
import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import { ENVIRONMENT } from '../config/config.module.js';
import type { Environment } from '../config/environment.js';

/** The time between SIGTERM and the closing of the port (`DRAIN_SECONDS`). */
@Injectable()
export class Drain implements BeforeApplicationShutdown {
  private started = false;

  constructor(@Inject(ENVIRONMENT) private readonly environment: Pick<Environment, 'drainTime'>) {}

  /** Whether the process is about to exit. */
  get draining(): boolean {
    return this.started;
  }

  /** @param signal Absent if the application closes itself: no balancer has to notice it then. */
  async beforeApplicationShutdown(signal?: string): Promise<void> {
    this.started = true;
    if (signal === 'SIGTERM') await sleep(this.environment.drainTime);
  }
}
