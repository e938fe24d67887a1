import { OverloadedError } from '../../platform/rate-limit/overloaded.error.js';

/** Requests that wait for each one that runs. */
const WAITING = 4;

/** Bounds how many fetches run at a time, and how many wait. */
export class FetchSlots {
  private readonly waiting: (() => void)[] = [];
  private running = 0;

  /** @param count Fetches at a time. */
  constructor(private readonly count: number) {}

  get runningCount(): number {
    return this.running;
  }

  get waitingCount(): number {
    return this.waiting.length;
  }

  /**
   * Waits for a slot, which the caller releases.
   * @throws OverloadedError (503) if too many wait; the signal's reason.
   */
  acquire(signal: AbortSignal): Promise<void> {
    if (this.running < this.count) {
      this.running += 1;
      return Promise.resolve();
    }
    if (this.waiting.length >= WAITING * this.count) return Promise.reject(new OverloadedError());
    return new Promise((resolve, reject) => {
      const takeTurn = (): void => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = (): void => {
        this.waiting.splice(this.waiting.indexOf(takeTurn), 1);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.waiting.push(takeTurn);
    });
  }

  /** Passes the slot to the next fetch. */
  release(): void {
    const next = this.waiting.shift();
    if (next === undefined) this.running -= 1;
    else next();
  }
}
