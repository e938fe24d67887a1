import cluster, { type Worker } from 'node:cluster';
import type { Logger } from 'pino';
import { relayMetrics } from './worker-metrics.js';

/** What a supervisor of workers needs of the processes: a test brings its own. */
export interface WorkerPool {
  fork(): Worker;
  /** Ends this process. */
  exit(code: number): void;
}

const FIRST_DELAY = 100;
const MAX_DELAY = 30_000;
/** Milliseconds that a worker must have lived for its end not to count as one of a row. */
const SOUND_LIFE = 10_000;
/** Milliseconds that workers may take to end beyond the time for which they drain: each closes within 8 s itself. */
const END = 12_000;

/**
 * Keeps a number of workers running: one that died is started again after 0.1 s, and where it lived for less than 10 s,
 * after 0.2 s and ever later, up to 30 s. Ends with 1 where none can start at all, and with 0 once told to end and all have ended.
 */
export class Workers {
  private readonly alive = new Set<Worker>();
  private delay = FIRST_DELAY;
  private served = false;
  private ending = false;
  private failed = false;

  constructor(
    private readonly count: number,
    private readonly pool: WorkerPool,
    private readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>,
  ) {}

  start(): void {
    for (let index = 0; index < this.count; index += 1) this.fork();
  }

  /** @param drainTime Milliseconds for which workers serve on once told to end. */
  stop(drainTime: number): void {
    if (this.ending) return;
    this.ending = true;
    this.signal('SIGTERM');
    setTimeout(() => {
      this.logger.error({ workers: this.alive.size }, 'workers did not end in time, and are killed');
      this.signal('SIGKILL');
    }, drainTime + END).unref();
    this.exitIfDone();
  }

  private fork(): void {
    if (this.ending) return;
    const worker = this.pool.fork();
    const born = performance.now();
    this.alive.add(worker);
    worker.once('listening', () => {
      this.served = true;
      this.logger.info({ worker: worker.process.pid }, 'worker listens');
    });
    worker.once('exit', (code, signal) => {
      this.alive.delete(worker);
      if (this.ending) this.exitIfDone();
      else this.replace(worker, { code, signal, lived: performance.now() - born });
    });
  }

  private replace(
    worker: Worker,
    { code, signal, lived }: { readonly code: number; readonly signal: string; readonly lived: number },
  ): void {
    if (!this.served) {
      // A setting or the database: the worker has said which, and another one would say the same.
      this.failed = true;
      this.stop(0);
      return;
    }
    this.delay = lived > SOUND_LIFE ? FIRST_DELAY : Math.min(this.delay * 2, MAX_DELAY);
    this.logger.warn(
      { worker: worker.process.pid, code, signal, restart_ms: this.delay },
      'worker died, and is started again',
    );
    setTimeout(() => {
      this.fork();
    }, this.delay);
  }

  private signal(signal: NodeJS.Signals): void {
    for (const worker of this.alive) worker.process.kill(signal);
  }

  private exitIfDone(): void {
    if (this.alive.size === 0) this.pool.exit(this.failed ? 1 : 0);
  }
}

/**
 * Runs the service in several processes on one port, which this one opens and hands out.
 * @param program What a worker runs.
 */
export function serveWithWorkers(
  program: string,
  {
    count,
    drainTime,
    logger,
  }: { readonly count: number; readonly drainTime: number; readonly logger: Logger },
): void {
  cluster.setupPrimary({
    exec: program,
    args: [],
    execArgv: ['--max-semi-space-size=4', '--no-memory-reducer'],
  });
  const workers = new Workers(
    count,
    { fork: () => cluster.fork(), exit: (code) => process.exit(code) },
    logger,
  );
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      workers.stop(drainTime);
    });
  }
  relayMetrics();
  workers.start();
}
