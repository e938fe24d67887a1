import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { withDeadline } from './deadline.js';

/** Milliseconds between two writes, and the timeout of the last one at shutdown. */
const FLUSH_INTERVAL = 5_000;
const LAST_FLUSH_TIMEOUT = 1_000;

/** Writes periodically what requests have counted in memory. */
export abstract class PeriodicWriter implements OnApplicationBootstrap, OnApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;

  /** Writes the counts since the last write; if it fails, they are kept for the next one. Never rejects. */
  abstract flush(): Promise<void>;

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => void this.flush(), FLUSH_INTERVAL).unref();
  }

  /** Writes the last counts; an unavailable database does not delay the shutdown. */
  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await withDeadline(this.flush(), LAST_FLUSH_TIMEOUT, () => undefined);
  }
}
