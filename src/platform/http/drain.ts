import { setTimeout as sleep } from 'node:timers/promises';
import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import { ENVIRONMENT } from '../config/config.module.js';
import type { Environment } from '../config/environment.js';

/** The time between a process being told to end and its port being closed (`DRAIN_SECONDS`). */
@Injectable()
export class Drain implements BeforeApplicationShutdown {
  private started = false;

  constructor(@Inject(ENVIRONMENT) private readonly environment: Pick<Environment, 'drainTime'>) {}

  /** Whether the process will end. */
  get draining(): boolean {
    return this.started;
  }

  /** @param signal Absent where the application is closed from inside: nobody has to be told then. */
  async beforeApplicationShutdown(signal?: string): Promise<void> {
    this.started = true;
    if (signal === 'SIGTERM') await sleep(this.environment.drainTime);
  }
}
