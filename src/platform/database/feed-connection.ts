import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { withDeadline } from '../deadline.js';
import { findConnectionSettingError } from './connection-setting.error.js';
import { DatabaseClient } from './database-client.js';
import type { DatabaseServers } from './database-servers.js';

/** The channel that the migrations' triggers notify. */
export const CHANGES_CHANNEL = 'pixseal_changes';
const CONNECT_TIMEOUT = 1_000;
/** Milliseconds for a heartbeat. */
const HEARTBEAT_TIMEOUT = 600;
/** What no other database of any server has. */
const ORIGIN = `concat_ws(' ', pg_postmaster_start_time(), (SELECT oid FROM pg_database WHERE datname = current_database()))`;
/** Columns of a heartbeat: whether the server accepts no writes, and the database. */
const COLUMNS = `current_setting('transaction_read_only') AS read_only, ${ORIGIN} AS origin`;
/** Milliseconds to close the connections. */
const CLOSE_TIMEOUT = 1_000;

/** Notifications do not arrive, and it takes an operator to change that. */
export class UndeliveredError extends Error {
  /** @param remedy What to do. */
  private constructor(cause: string, remedy: string) {
    super(
      `${cause}: changes are not received, so cached rows live for 1 s, and the database gets more queries. ${remedy}`,
    );
    this.name = 'UndeliveredError';
  }

  /** @param address Host and port of a pooler that shares sessions. */
  static ofPooler(variable: DatabaseServers['variable'], address: string): UndeliveredError {
    return new UndeliveredError(
      `${variable} leads to a connection pooler at ${address} that does not deliver notifications, as PgBouncer in transaction mode`,
      variable === 'DATABASE_URL'
        ? 'Set DATABASE_LISTEN_URL to Postgres itself, or use the session mode of the pooler'
        : 'It must lead to Postgres itself',
    );
  }

  /** The two settings lead to different servers or databases. */
  static ofOtherDatabase(): UndeliveredError {
    return new UndeliveredError(
      'A notification that was sent over DATABASE_URL did not arrive over DATABASE_LISTEN_URL',
      'Both must lead to the same database of the same server',
    );
  }
}

/** The servers of a feed. */
export interface FeedServers {
  /** Deliver the notifications. */
  readonly listen: DatabaseServers;
  /** Send the heartbeats; another object than `listen` if the two settings differ. */
  readonly send: DatabaseServers;
}

/**
 * A connection that listens to changes. Postgres delivers a notification to the session that ran `LISTEN`; a pooler in
 * transaction mode accepts `LISTEN`, runs it in a session that it shares, and drops what arrives there. So the
 * connection is live only if its own notification comes back: in a session of its own the first one, behind a pooler each.
 */
export class FeedConnection {
  private readonly channel = `pixseal_heartbeat_${randomBytes(8).toString('hex')}`;
  private readonly listener: DatabaseClient;
  /**
   * Sends the heartbeats. With DATABASE_LISTEN_URL it is a connection over DATABASE_URL: each heartbeat proves that both
   * lead to the same database, after a failover too. Behind a pooler it is a second connection: a pooler in
   * transaction mode delivers to the listener what the listener itself sends, when it happens to run in the session of
   * the `LISTEN`.
   */
  private sender: DatabaseClient;
  private isBehindPooler = false;
  private beats = 0;
  private received: (beat: string) => void = () => undefined;
  private ended = false;

  private constructor(
    private readonly servers: FeedServers,
    onChange: (payload: string) => void,
    private readonly onLost: (error: unknown) => void,
  ) {
    this.listener = this.createClient(servers.listen);
    this.sender = servers.send === servers.listen ? this.listener : this.createClient(servers.send);
    this.listener.on('notification', ({ channel, payload = '' }) => {
      if (channel === this.channel) this.received(payload);
      else if (channel === CHANGES_CHANNEL) onChange(payload);
    });
  }

  /**
   * @param onChange Gets the payload of each change.
   * @param onLost Called at most once, after the connection was opened.
   * @throws UndeliveredError where no notification arrives; Error where the server does not respond in time.
   */
  static async open(
    servers: FeedServers,
    onChange: (payload: string) => void,
    onLost: (error: unknown) => void,
  ): Promise<FeedConnection> {
    const connection = new FeedConnection(servers, onChange, onLost);
    try {
      await connection.listen();
      await connection.beat();
    } catch (error) {
      void connection.end();
      throw error;
    }
    return connection;
  }

  /**
   * Sends a heartbeat and waits for it. In a session of its own all but the first are queries: Postgres sends a session
   * what arrived for it before it runs the next query, and a notification would wake all sessions that listen, so that
   * the cost would grow with the square of the replicas.
   * @returns When it was sent, by `performance.now()`: every change whose `COMMIT` had returned is received by now.
   * @throws UndeliveredError where a notification does not arrive; Error where the server does not respond in time, or
   * accepts no writes any more.
   */
  async beat(): Promise<number> {
    const sentAt = performance.now();
    await (this.beats > 0 && !this.isBehindPooler ? this.query() : this.notify());
    return sentAt;
  }

  private async query(): Promise<void> {
    const { listener, sender } = this;
    const heartbeat = Promise.all([
      this.send(`SELECT ${COLUMNS}`),
      sender === listener ? null : listener.query<{ origin: string }>(`SELECT ${COLUMNS}`),
    ]);
    const response = await withDeadline(heartbeat, HEARTBEAT_TIMEOUT, () => null);
    if (response === null) throw new Error('No response to a heartbeat');
    const [origin, listening] = response;
    if (listening !== null && listening.rows[0]?.origin !== origin)
      throw new Error('The two connections lead to different databases');
  }

  private async notify(): Promise<void> {
    const beat = String((this.beats += 1));
    const received = new Promise<void>((resolve) => {
      this.received = (payload) => {
        if (payload === beat) resolve();
      };
    });
    const progress = { sent: false };
    const heartbeat = Promise.all([
      this.send(`SELECT pg_notify($1, $2), ${COLUMNS}`, [this.channel, beat]).then(() => {
        progress.sent = true;
      }),
      received,
    ]).then(() => true);
    const inTime = await withDeadline(heartbeat, HEARTBEAT_TIMEOUT, () => false);
    if (inTime) return;
    throw (progress.sent ? this.findUndelivered() : null) ?? new Error('No response to a heartbeat');
  }

  /** Whether the connection was lost or closed. */
  get isEnded(): boolean {
    return this.ended;
  }

  /** Closes the connection within a second. */
  async end(): Promise<void> {
    this.ended = true;
    const clients = new Set([this.listener, this.sender]);
    const closed = Promise.all([...clients].map((client) => client.end().catch(() => undefined)));
    await withDeadline<unknown>(closed, CLOSE_TIMEOUT, () => undefined);
  }

  private async listen(): Promise<void> {
    const { listener, servers } = this;
    await listener.connect();
    // One string is one transaction, and so one session behind any pooler.
    const results = (await listener.query(
      `LISTEN ${CHANGES_CHANNEL}; LISTEN ${this.channel}; SELECT pg_backend_pid() AS pid`,
    )) as unknown as readonly pg.QueryResult<{ pid: number }>[];
    this.isBehindPooler = processIdOf(listener) !== results.at(-1)?.rows[0]?.pid;
    if (this.isBehindPooler && this.sender === listener) this.sender = this.createClient(servers.send);
    if (this.sender === listener) return;
    try {
      await this.sender.connect();
    } catch (error) {
      throw findConnectionSettingError(error, servers.send) ?? error;
    }
  }

  /** @returns What identifies the database. */
  private async send(statement: string, values?: string[]): Promise<string | undefined> {
    const { rows } = await this.sender.query<{ read_only: string; origin: string }>(statement, values);
    const { send } = this.servers;
    // A former primary that was only made read-only delivers heartbeats, but no more changes.
    if (send.readWrite && rows[0]?.read_only === 'on') {
      send.failed(this.sender.url);
      throw new Error('The server accepts no writes any more');
    }
    return rows[0]?.origin;
  }

  /** The reason why a heartbeat that was sent did not arrive, if it is a setting. */
  private findUndelivered(): UndeliveredError | null {
    const { listener, servers } = this;
    if (this.isBehindPooler)
      return UndeliveredError.ofPooler(servers.listen.variable, `${listener.host}:${listener.port}`);
    const isFirst = this.beats === 1;
    return isFirst && servers.send !== servers.listen ? UndeliveredError.ofOtherDatabase() : null;
  }

  private createClient(servers: DatabaseServers): DatabaseClient {
    const client = new DatabaseClient(servers, {
      application_name: 'pixseal change feed',
      connectionTimeoutMillis: CONNECT_TIMEOUT,
      query_timeout: CONNECT_TIMEOUT,
    });
    client.on('error', (error) => {
      if (this.ended) return;
      this.ended = true;
      this.onLost(error);
    });
    return client;
  }
}

/**
 * The process id that came with the key to cancel queries. A pooler that shares sessions must hand out keys of its own,
 * so its clients get another id than `pg_backend_pid()`.
 */
function processIdOf(client: pg.Client): number | null {
  return (client as pg.Client & { readonly processID?: number }).processID ?? null;
}
