/** Bounds how much runs at a time, and how much waits. Overload is refused at once: an unbounded queue would fail every client. */
export class Slots {
  private readonly waiting: (() => void)[] = [];
  private running = 0;

  /** @param refuse Creates the error of a request for which there is no place to wait. */
  constructor(
    private readonly limits: { readonly running: number; readonly waiting: number },
    private readonly refuse: () => Error,
  ) {}

  get runningCount(): number {
    return this.running;
  }

  get waitingCount(): number {
    return this.waiting.length;
  }

  /** Waits for a slot, which the caller releases. @throws the error of `refuse`; the signal's reason. */
  acquire(signal: AbortSignal): Promise<void> {
    if (this.running < this.limits.running) {
      this.running += 1;
      return Promise.resolve();
    }
    if (this.waiting.length >= this.limits.waiting) return Promise.reject(this.refuse());
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

  /** Passes the slot to the next that waits; it is free only if nothing waits. */
  release(): void {
    const next = this.waiting.shift();
    if (next === undefined) this.running -= 1;
    else next();
  }
}
