import { randomBytes } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import type pg from 'pg';
import { DataSource } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import { ENVIRONMENT } from '../platform/config/config.module.js';
import type { Environment } from '../platform/config/environment.js';
import { findDatabaseFault, isStalePlan, isStatementFault } from '../platform/database/database-fault.js';
import { DatabaseUnavailableError } from '../domain/database.errors.js';
import { withDeadline } from '../platform/deadline.js';

/** Milliseconds for a whole look-up, including the wait for a connection. */
const DEADLINE = 900;
/** Maximum number of look-ups that run or wait for a connection; further ones are refused at once. */
const MAX_PENDING = 2_000;
/** Attempts of a look-up whose connection fails. */
const MAX_ATTEMPTS = 3;
/** Milliseconds between two probes of an unavailable database. */
const PROBE_INTERVAL = 500;
const PROBE = { name: 'pixseal_probe', text: 'SELECT 1' };
/**
 * Ends the names of this process's statements: in a session that a pooler shares, the same name may be that of another
 * statement, of another release.
 */
const NAME_SUFFIX = randomBytes(4).toString('hex');

/** A statement that Postgres parses and plans once per connection. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/** Runs a statement on the connection of a look-up. @returns the rows as the driver reads them. */
export type Query = <Row extends object>(statement: Statement, values?: readonly unknown[]) => Promise<Row[]>;

/** A look-up that exceeded its deadline. */
class DeadlineError extends Error {}

/**
 * Queries the database for redirects: with a deadline, a limit on concurrency, and a retry on another connection if one
 * fails. While the database does not respond, look-ups fail at once until a probe succeeds.
 */
@Injectable()
export class DatabaseLookups implements OnApplicationShutdown {
  private readonly logger = new Logger(DatabaseLookups.name);
  /** Idle connections of the pool; null for the embedded database, which has a single one and no network. */
  private readonly idle: Set<EventEmitter> | null;
  /** Part of the statements' names: a migration may make the prepared ones unusable. */
  private generation = 0;
  /** Whether statements have names. Not if embedded: its one session outlives its connections. */
  private isNaming: boolean;
  private underWay = 0;
  private down = false;
  private respondedAt = performance.now();
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(
    private readonly dataSource: DataSource,
    @Inject(ENVIRONMENT) { database }: Pick<Environment, 'database'>,
  ) {
    this.idle = database.kind === 'embedded' ? null : watchIdle(dataSource.driver as PostgresDriver);
    this.isNaming = database.kind === 'postgres' && database.preparedStatements;
  }

  /** True from the first look-up without a response until a probe succeeds. */
  get isDown(): boolean {
    return this.down;
  }

  /** Milliseconds since the database last responded. */
  get unresponsiveFor(): number {
    return performance.now() - this.respondedAt;
  }

  /** Records that the database responded to another caller. */
  responded(): void {
    this.respondedAt = performance.now();
  }

  /** Closes idle connections: after a fault they may be dead without an error. */
  dropIdle(): void {
    const idle = [...(this.idle ?? [])];
    this.idle?.clear();
    for (const connection of idle) connection.emit('error', new Error('It may be dead'));
  }

  /**
   * Runs a look-up. It may run again, so that running it twice must have the effect of running it once.
   * @param attempts 1 for a statement that must not run again.
   * @throws DatabaseUnavailableError (503) within a second without a response; errors of ours pass through.
   */
  async run<T>(load: (query: Query) => Promise<T>, attempts = MAX_ATTEMPTS): Promise<T> {
    // Embedded: no network that can fail, and no other server to wait for.
    if (this.idle === null) return this.tryOnce(load, Infinity);
    if (this.down || this.underWay >= MAX_PENDING) throw new DatabaseUnavailableError();
    this.underWay += 1;
    try {
      return await this.withRetry(load, performance.now() + DEADLINE, attempts);
    } catch (error) {
      if (!isUnresponsive(error)) throw error;
      this.noteDown(error);
      throw new DatabaseUnavailableError();
    } finally {
      this.underWay -= 1;
    }
  }

  onApplicationShutdown(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  private async withRetry<T>(
    load: (query: Query) => Promise<T>,
    end: number,
    attempts = MAX_ATTEMPTS,
  ): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.tryOnce(load, end);
      } catch (error) {
        if (!this.canRetry(error) || tries >= attempts) throw error;
      }
    }
  }

  /** Whether the same look-up may succeed now; changes how statements are prepared if that was the fault. */
  private canRetry(error: unknown): boolean {
    if (isStatementFault(error)) this.stopNaming();
    else if (isStalePlan(error)) this.generation += 1;
    else return findDatabaseFault(error) === 'lost';
    return true;
  }

  private async tryOnce<T>(load: (query: Query) => Promise<T>, end: number): Promise<T> {
    const runner = this.dataSource.createQueryRunner();
    let connection: pg.PoolClient | undefined;
    const state = { hasEnded: false };
    const work = (async () => {
      try {
        connection = (await runner.connect()) as pg.PoolClient;
        if (state.hasEnded) throw new DeadlineError();
        return await load(this.queryOn(connection));
      } finally {
        await runner.release();
      }
    })();
    if (end === Infinity) return work;
    const left = Math.max(0, end - performance.now());
    const result = await withDeadline(work, left, () => {
      state.hasEnded = true;
      const error = new DeadlineError('It did not respond in time');
      // The pool then closes the connection, which ends its query and frees its place. If it were released instead, the
      // next look-up would wait behind the same query.
      connection?.emit('error', error);
      throw error;
    });
    this.responded();
    return result;
  }

  private stopNaming(): void {
    if (this.isNaming) {
      this.logger.warn(
        'DATABASE_URL leads to a connection pooler that does not track prepared statements, as PgBouncer before 1.21 or ' +
          'with max_prepared_statements=0: statements are no longer prepared. ' +
          'Set DATABASE_PREPARED_STATEMENTS=off, or configure the pooler',
      );
    }
    this.isNaming = false;
  }

  private queryOn(connection: pg.PoolClient): Query {
    return async <Row extends object>({ name, text }: Statement, values: readonly unknown[] = []) => {
      const named = this.isNaming ? { name: `${name}_${NAME_SUFFIX}_${this.generation}` } : {};
      const statement = { text, values: [...values], ...named };
      return (await connection.query<Row & pg.QueryResultRow>(statement)).rows;
    };
  }

  private noteDown(error: unknown): void {
    if (this.down || this.closed) return;
    this.down = true;
    this.logger.error(
      `The database does not respond: ${error instanceof Error ? error.message : 'no reason'}`,
    );
    this.probe(0);
  }

  private probe(delay: number): void {
    this.timer = setTimeout(() => {
      this.dropIdle();
      this.withRetry((query) => query(PROBE), performance.now() + DEADLINE).then(
        () => {
          this.down = false;
          this.logger.log('The database responds again');
        },
        () => {
          if (!this.closed) this.probe(PROBE_INTERVAL);
        },
      );
    }, delay).unref();
  }
}

function isUnresponsive(error: unknown): boolean {
  return error instanceof DeadlineError || findDatabaseFault(error) !== null;
}

/** The pool's idle connections, kept current by its events. */
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
