import { EventEmitter } from 'node:events';
import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import type pg from 'pg';
import { DataSource, type EntityManager } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import { ENVIRONMENT } from '../platform/config/config.module.js';
import type { Environment } from '../platform/config/environment.js';
import { findDatabaseFault } from '../platform/database/database-fault.js';
import { DatabaseUnavailableError } from '../domain/database.errors.js';
import { Tracing } from '../platform/observability/tracing.js';
import { withDeadline } from '../platform/deadline.js';

/** Milliseconds for a look-up as a whole, the wait for a connection among them. */
const DEADLINE = 900;
/** Look-ups that may be under way or wait for a connection; one more is refused at once. */
const MAX_UNDER_WAY = 2_000;
/** Tries of one look-up whose connection is lost under it. */
const MAX_TRIES = 3;
/** Milliseconds between two looks whether the database is back. */
const PROBE_INTERVAL = 500;

/** A look-up that was given up. */
class DeadlineError extends Error {}

/**
 * Asks the database on behalf of redirects: within a deadline, in a bounded number, over another connection where
 * one was lost. Once the database does not answer, nobody waits for it until a probe finds it back.
 */
@Injectable()
export class DatabaseLookups implements OnApplicationShutdown {
  private readonly logger = new Logger(DatabaseLookups.name);
  /** Connections that nobody uses; null in the process, where there is but one and nothing to reach. */
  private readonly idle: Set<EventEmitter> | null;
  private underWay = 0;
  private down = false;
  private answeredAt = performance.now();
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(
    private readonly dataSource: DataSource,
    private readonly tracing: Tracing,
    @Inject(ENVIRONMENT) { database }: Pick<Environment, 'database'>,
  ) {
    this.idle = database.kind === 'embedded' ? null : watchIdle(dataSource.driver as PostgresDriver);
  }

  /** True from the first look-up that got no answer until a probe got one. */
  get isDown(): boolean {
    return this.down;
  }

  /** Milliseconds since the database last answered anything. */
  get silentFor(): number {
    return performance.now() - this.answeredAt;
  }

  /** Notes that the database answered somebody else. */
  heard(): void {
    this.answeredAt = performance.now();
  }

  /** Closes connections that nobody uses: after a fault they may be dead without knowing it. */
  dropIdle(): void {
    const idle = [...(this.idle ?? [])];
    this.idle?.clear();
    for (const connection of idle) connection.emit('error', new Error('It may be dead'));
  }

  /**
   * Runs a look-up, which may be run again: it must do nothing but read.
   * @param what Its name in traces.
   * @throws DatabaseUnavailableError (503) within a second when there is no answer; errors of ours pass through.
   */
  run<T>(what: string, load: (rows: EntityManager) => Promise<T>): Promise<T> {
    return this.tracing.run(`look up ${what}`, () => this.lookUp(load));
  }

  onApplicationShutdown(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  private async lookUp<T>(load: (rows: EntityManager) => Promise<T>): Promise<T> {
    if (this.idle === null) return load(this.dataSource.manager);
    if (this.down || this.underWay >= MAX_UNDER_WAY) throw new DatabaseUnavailableError();
    this.underWay += 1;
    try {
      return await this.withRetry(load, performance.now() + DEADLINE);
    } catch (error) {
      if (!isNoAnswer(error)) throw error;
      this.noteDown(error);
      throw new DatabaseUnavailableError();
    } finally {
      this.underWay -= 1;
    }
  }

  private async withRetry<T>(load: (rows: EntityManager) => Promise<T>, end: number): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.tryOnce(load, end);
      } catch (error) {
        if (tries === MAX_TRIES || findDatabaseFault(error) !== 'lost') throw error;
      }
    }
  }

  private async tryOnce<T>(load: (rows: EntityManager) => Promise<T>, end: number): Promise<T> {
    const runner = this.dataSource.createQueryRunner();
    let connection: EventEmitter | undefined;
    const given = { up: false };
    const work = (async () => {
      try {
        connection = (await runner.connect()) as EventEmitter;
        if (given.up) throw new DeadlineError();
        return await load(runner.manager);
      } finally {
        await runner.release();
      }
    })();
    const left = Math.max(0, end - performance.now());
    const answer = await withDeadline(work, left, () => {
      given.up = true;
      const error = new DeadlineError('It did not answer in time');
      // What a pool does with a connection that failed is what this one needs: it is closed, its query ends,
      // and its place is free. Given back as it is, it would let the next one wait behind the same query.
      connection?.emit('error', error);
      throw error;
    });
    this.heard();
    return answer;
  }

  private noteDown(error: unknown): void {
    if (this.down || this.closed) return;
    this.down = true;
    this.logger.error(
      `The database does not answer: ${error instanceof Error ? error.message : 'no reason'}`,
    );
    this.probe(0);
  }

  private probe(delay: number): void {
    this.timer = setTimeout(() => {
      this.dropIdle();
      this.tryOnce((rows) => rows.query('SELECT 1'), performance.now() + DEADLINE).then(
        () => {
          this.down = false;
          this.logger.log('The database answers again');
        },
        () => {
          if (!this.closed) this.probe(PROBE_INTERVAL);
        },
      );
    }, delay).unref();
  }
}

function isNoAnswer(error: unknown): boolean {
  return error instanceof DeadlineError || findDatabaseFault(error) !== null;
}

/** The pool's connections that are not in use, kept up to date by its events. */
function watchIdle(driver: PostgresDriver): Set<EventEmitter> {
  const idle = new Set<EventEmitter>();
  const pool = driver.master as pg.Pool;
  pool.on('acquire', (client) => idle.delete(client));
  pool.on('remove', (client) => idle.delete(client));
  pool.on('release', (error, client) => {
    if (!(error as Error | undefined)) idle.add(client);
  });
  return idle;
}
