import cluster, { type Worker } from 'node:cluster';
import type { Logger } from 'pino';
import { relayMetrics } from './worker-metrics.js';

/** The process functions that a supervisor uses: a test supplies its own. */
export interface WorkerPool {
  fork(): Worker;
  /** Ends this process. */
  exit(code: number): void;
}

const FIRST_DELAY = 100;
const MAX_DELAY = 30_000;
/** Milliseconds after which a worker's exit resets the backoff. */
const STABLE_UPTIME = 10_000;
/** Milliseconds that workers may take to exit beyond the drain time: each closes within 8 s itself. */
const EXIT_TIMEOUT = 12_000;

/**
 * Keeps a number of workers running. Restarts a crashed worker after 0.1 s, with exponential backoff up to 30 s if it
 * ran for less than 10 s. Exits with 1 if no worker can start, and with 0 after it was stopped and all have exited.
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
    this.logger.info({ workers: this.count }, 'starting workers');
    for (let index = 0; index < this.count; index += 1) this.fork();
  }

  /** @param drainTime Milliseconds for which workers serve after the stop. */
  stop(drainTime: number): void {
    if (this.ending) return;
    this.ending = true;
    this.logger.info({ workers: this.alive.size, drain_ms: drainTime }, 'stopping workers');
    this.signal('SIGTERM');
    setTimeout(() => {
      this.logger.error({ workers: this.alive.size }, 'workers did not exit in time, killing them');
      this.signal('SIGKILL');
    }, drainTime + EXIT_TIMEOUT).unref();
    this.exitIfDone();
  }

  private fork(): void {
    if (this.ending) return;
    const startedAt = performance.now();
    let worker: Worker;
    try {
      worker = this.pool.fork();
    } catch (error) {
      this.replace({ reason: String(error) }, 0);
      return;
    }
    const { process } = worker;
    this.alive.add(worker);
    const end = (how: object): void => {
      if (!this.alive.delete(worker)) return;
      if (this.ending) this.exitIfDone();
      else this.replace({ worker: process.pid, ...how }, performance.now() - startedAt);
    };
    worker.once('listening', () => {
      this.served = true;
      this.logger.info({ worker: process.pid }, 'worker listens');
    });
    worker.once('exit', (code, signal) => {
      end({ code, signal });
    });
    worker.on('error', (error) => {
      // Without processes or memory, there is no pid and no exit event; with a pid, a signal was not delivered.
      if (process.pid === undefined) end({ reason: error.message });
      else this.logger.warn({ worker: process.pid, reason: error.message }, 'could not signal a worker');
    });
  }

  /** @param how How it exited, for the log. @param uptime Milliseconds. */
  private replace(how: object, uptime: number): void {
    if (!this.served) {
      // Caused by a setting or the database: the worker has logged it, and another would fail the same way.
      this.logger.error(how, 'a worker exited before it was ready');
      this.failed = true;
      this.stop(0);
      return;
    }
    this.delay = uptime > STABLE_UPTIME ? FIRST_DELAY : Math.min(this.delay * 2, MAX_DELAY);
    this.logger.warn({ ...how, restart_ms: this.delay }, 'worker died, restarting it');
    setTimeout(() => {
      this.fork();
    }, this.delay);
  }

  private signal(signal: NodeJS.Signals): void {
    for (const worker of this.alive) worker.process.kill(signal);
  }

  private exitIfDone(): void {
    if (this.alive.size > 0) return;
    this.logger.info('every worker has exited');
    this.pool.exit(this.failed ? 1 : 0);
  }
}

/**
 * Runs the service in several processes on one port, which this process opens and shares.
 * @param program The worker's program.
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
