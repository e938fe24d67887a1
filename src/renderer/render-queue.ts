import { RenderError } from './picture/render.errors.js';

/** How much may be rendered at once, and how long a render may wait and take. */
export interface QueueLimits {
  readonly running: number;
  readonly waiting: number;
  /** Milliseconds from the first byte of work. */
  readonly deadline: number;
}

interface Job<T> {
  readonly result: Promise<T>;
  readonly abort: AbortController;
  waiters: number;
}

/**
 * Runs renders a few at a time, each key once however many ask for it, and drops one that nobody waits for.
 * Overload is refused at once: a queue that only grows serves nobody.
 */
export class RenderQueue<T> {
  private readonly jobs = new Map<string, Job<T>>();
  private readonly waiting: (() => void)[] = [];
  private running = 0;

  constructor(private readonly limits: QueueLimits) {}

  get runningCount(): number {
    return this.running;
  }

  get waitingCount(): number {
    return this.waiting.length;
  }

  /**
   * @param left Aborted when the one who asks has gone.
   * @throws RenderError (503) when too many wait, or the deadline has passed.
   */
  async run(key: string, left: AbortSignal, render: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const job = this.jobs.get(key) ?? this.start(key, render);
    job.waiters += 1;
    const leave = (): void => {
      job.waiters -= 1;
      if (job.waiters === 0) job.abort.abort(new RenderError(503, 'The client has left'));
    };
    if (left.aborted) leave();
    else left.addEventListener('abort', leave, { once: true });
    try {
      return await job.result;
    } finally {
      left.removeEventListener('abort', leave);
    }
  }

  private start(key: string, render: (signal: AbortSignal) => Promise<T>): Job<T> {
    if (this.running >= this.limits.running && this.waiting.length >= this.limits.waiting) {
      throw new RenderError(503, 'Too many pictures are being rendered');
    }
    const abort = new AbortController();
    const job: Job<T> = { abort, waiters: 0, result: this.runInTurn(render, abort) };
    this.jobs.set(key, job);
    const done = (): void => {
      if (this.jobs.get(key) === job) this.jobs.delete(key);
    };
    job.result.then(done, done);
    // Who comes after the abort must not be handed a dying job.
    abort.signal.addEventListener('abort', done, { once: true });
    return job;
  }

  private async runInTurn(render: (signal: AbortSignal) => Promise<T>, abort: AbortController): Promise<T> {
    await this.takePlace(abort.signal);
    const timer = setTimeout(() => {
      abort.abort(new RenderError(503, 'The picture took too long to render'));
    }, this.limits.deadline);
    try {
      abort.signal.throwIfAborted();
      return await render(abort.signal);
    } finally {
      clearTimeout(timer);
      const next = this.waiting.shift();
      // The place is handed on; it is free only when nobody waits.
      if (next === undefined) this.running -= 1;
      else next();
    }
  }

  /** Waits for a place among the running. One that nobody waits for any more gives up its turn at once. */
  private takePlace(signal: AbortSignal): Promise<void> {
    if (this.running < this.limits.running) {
      this.running += 1;
      return Promise.resolve();
    }
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
}
