import { setTimeout as sleep } from 'node:timers/promises';
import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  Logger,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { ENVIRONMENT } from '../config/config.module.js';
import type { Environment } from '../config/environment.js';

/** The time between SIGTERM and the closing of the port (`DRAIN_SECONDS`). Logs the stop of a service that was signaled. */
@Injectable()
export class Drain implements BeforeApplicationShutdown, OnApplicationShutdown {
  private readonly logger = new Logger(Drain.name);
  private started = false;

  constructor(@Inject(ENVIRONMENT) private readonly environment: Pick<Environment, 'drainTime'>) {}

  /** Whether the process is about to exit. */
  get draining(): boolean {
    return this.started;
  }

  /** @param signal Absent if the application closes itself: no balancer has to notice it then. */
  async beforeApplicationShutdown(signal?: string): Promise<void> {
    this.started = true;
    if (signal === undefined) return;
    const drainTime = signal === 'SIGTERM' ? this.environment.drainTime : 0;
    this.logger.log(`${signal} received: serving for ${drainTime / 1_000} s more, then closing the port`);
    await sleep(drainTime);
  }

  /** Every request has its response: Nest closes the server before. */
  onApplicationShutdown(signal?: string): void {
    if (signal !== undefined) this.logger.log('Every response is sent: stopped');
  }
}
