import pg from 'pg';
import type { DatabaseServers } from './database-servers.js';

/** Milliseconds for the first query of a connection. */
const SETUP_TIMEOUT = 900;
/** `read_only_sql_transaction` (https://www.postgresql.org/docs/current/errcodes-appendix.html). */
const READ_ONLY = '25006';

/** The server of a new connection accepts no writes. */
class ReadOnlyServerError extends Error {
  readonly code = READ_ONLY;

  constructor({ host, port }: pg.Client, { variable }: DatabaseServers) {
    super(
      `${variable} has target_session_attrs=read-write, and the server at ${host}:${port} accepts no writes`,
    );
    this.name = 'ReadOnlyServerError';
  }
}

/**
 * A connection to the primary.
 *
 * It always has an `error` listener: the pool and TypeORM remove theirs from a client that they discard, and an unhandled
 * `error` event ends the process.
 *
 * It is closed if a query times out: the response may still arrive while the queued rollback is dropped; the next user of
 * the connection would then continue that transaction, and commit a write that was reported as 503. It is also closed if
 * a write is refused because its server is read-only: after a failover the primary is elsewhere.
 */
export class DatabaseClient extends pg.Client {
  /** The server's URL. */
  readonly url: string;

  /** @param statementTimeout The server's limit for a statement, in milliseconds; 0 for the server's own. */
  constructor(
    private readonly servers: DatabaseServers,
    config: pg.ClientConfig,
    private readonly statementTimeout = 0,
  ) {
    const { url } = servers;
    super({ ...config, connectionString: url });
    this.url = url;
    this.on('error', () => undefined);
    const query = this.query.bind(this) as (...args: unknown[]) => unknown;
    this.query = ((...args: unknown[]) => {
      const result = query(...args);
      if (result instanceof Promise) result.catch((error: unknown) => this.closeAfter(error));
      return result;
    }) as pg.Client['query'];
  }

  /** @throws ReadOnlyServerError; errors of the connection. */
  override connect(): Promise<pg.Client>;
  override connect(callback: (error: Error | null, client?: pg.Client) => void): void;
  override connect(callback?: (error: Error | null, client?: pg.Client) => void): Promise<pg.Client> | void {
    const opening = this.open();
    if (callback === undefined) return opening;
    opening.then(
      (client) => {
        callback(null, client);
      },
      (error: unknown) => {
        callback(error instanceof Error ? error : new Error(String(error)));
      },
    );
  }

  private async open(): Promise<pg.Client> {
    try {
      await super.connect();
      await this.setUp();
      this.servers.opened(this);
      return this;
    } catch (error) {
      this.servers.failed(this.url);
      void this.end();
      throw error;
    }
  }

  /**
   * Limits statements, and checks the server. By `SET`: PgBouncer and other poolers refuse a connection whose startup
   * packet has a parameter that they do not track, or drop the parameter where they are configured to ignore it.
   */
  private async setUp(): Promise<void> {
    const { readWrite } = this.servers;
    const limit = this.statementTimeout > 0 ? `SET statement_timeout = ${this.statementTimeout};` : '';
    // A standby's transactions are read-only too.
    const text = limit + (readWrite ? 'SHOW transaction_read_only' : '');
    if (text === '') return;
    const results = [await this.query({ text, query_timeout: SETUP_TIMEOUT } as pg.QueryConfig)].flat();
    const last = results.at(-1)?.rows[0] as { transaction_read_only?: string } | undefined;
    if (last?.transaction_read_only === 'on') throw new ReadOnlyServerError(this, this.servers);
  }

  private async closeAfter(error: unknown): Promise<void> {
    if (!(error instanceof Error)) return;
    const isReadOnly = 'code' in error && error.code === READ_ONLY;
    if (!isReadOnly && error.message !== 'Query read timeout') return;
    if (isReadOnly) this.servers.failed(this.url);
    await this.end().catch(() => undefined);
  }
}
