import { Slots } from '../platform/slots.js';
import { RenderError } from './image/render.errors.js';

/** How much may be rendered concurrently, and how long a render may wait and take. */
export interface QueueLimits {
  readonly running: number;
  readonly waiting: number;
  /** Milliseconds from the start of the work. */
  readonly deadline: number;
}

interface Job<T> {
  readonly result: Promise<T>;
  readonly abort: AbortController;
  waiters: number;
}

/** Runs a few renders at a time, concurrent requests of a key once, and cancels renders without waiting clients. */
export class RenderQueue<T> {
  private readonly jobs = new Map<string, Job<T>>();
  private readonly slots: Slots;

  constructor(private readonly limits: QueueLimits) {
    this.slots = new Slots(limits, () => new RenderError(503, 'Too many images are being rendered'));
  }

  get runningCount(): number {
    return this.slots.runningCount;
  }

  get waitingCount(): number {
    return this.slots.waitingCount;
  }

  /**
   * @param clientSignal Aborted when the client has disconnected.
   * @throws RenderError (503) if too many are waiting, or the deadline has passed.
   */
  async run(key: string, clientSignal: AbortSignal, render: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const job = this.jobs.get(key) ?? this.start(key, render);
    job.waiters += 1;
    const leave = (): void => {
      job.waiters -= 1;
      if (job.waiters === 0) job.abort.abort(new RenderError(503, 'The client has disconnected'));
    };
    if (clientSignal.aborted) leave();
    else clientSignal.addEventListener('abort', leave, { once: true });
    try {
      return await job.result;
    } finally {
      clientSignal.removeEventListener('abort', leave);
    }
  }

  private start(key: string, render: (signal: AbortSignal) => Promise<T>): Job<T> {
    const abort = new AbortController();
    const job: Job<T> = { abort, waiters: 0, result: this.runInTurn(render, abort) };
    this.jobs.set(key, job);
    const done = (): void => {
      if (this.jobs.get(key) === job) this.jobs.delete(key);
    };
    job.result.then(done, done);
    // A request after the abort must not join the aborted job.
    abort.signal.addEventListener('abort', done, { once: true });
    return job;
  }

  private async runInTurn(render: (signal: AbortSignal) => Promise<T>, abort: AbortController): Promise<T> {
    // A render without waiting clients leaves the queue at once.
    await this.slots.acquire(abort.signal);
    const timer = setTimeout(() => {
      abort.abort(new RenderError(503, 'The image took too long to render'));
    }, this.limits.deadline);
    try {
      abort.signal.throwIfAborted();
      return await render(abort.signal);
    } finally {
      clearTimeout(timer);
      this.slots.release();
    }
  }
}
