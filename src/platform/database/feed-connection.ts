import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { withDeadline } from '../deadline.js';

/** The channel that the migrations' triggers notify. */
export const CHANGES_CHANNEL = 'pixseal_changes';
const CONNECT_TIMEOUT = 1_000;
/** Milliseconds for a heartbeat. */
const HEARTBEAT_TIMEOUT = 600;
/** Milliseconds for the farewell to the server. */
const CLOSE_TIMEOUT = 1_000;

/** A pooler between this process and Postgres does not deliver notifications. */
export class PoolerError extends Error {
  /** @param address Host and port of the pooler. */
  constructor(address: string) {
    super(
      `DATABASE_URL leads to a connection pooler at ${address} that does not deliver notifications, as PgBouncer in transaction mode: ` +
        'changes are not received, so cached rows live for 1 s, and the database gets more queries. ' +
        'Use the session mode of the pooler, or connect to Postgres itself',
    );
    this.name = 'PoolerError';
  }
}

/**
 * A connection that listens to changes. Postgres delivers a notification to the session that ran `LISTEN`; a pooler in
 * transaction mode accepts `LISTEN`, runs it in a session that it shares, and drops what arrives there. So the
 * connection is live only while its own notifications come back.
 */
export class FeedConnection {
  private readonly channel = `pixseal_heartbeat_${randomBytes(8).toString('hex')}`;
  private readonly listener: pg.Client;
  /**
   * Sends the heartbeats. Behind a pooler it is a second connection: a pooler in transaction mode delivers to the
   * listener what the listener itself sends, when it happens to run in the session of the `LISTEN`.
   */
  private sender: pg.Client;
  private beats = 0;
  private received: (beat: string) => void = () => undefined;
  private ended = false;

  private constructor(
    private readonly url: string,
    onChange: (payload: string) => void,
    private readonly onLost: (error: unknown) => void,
  ) {
    this.listener = this.createClient();
    this.sender = this.listener;
    this.listener.on('notification', ({ channel, payload = '' }) => {
      if (channel === this.channel) this.received(payload);
      else if (channel === CHANGES_CHANNEL) onChange(payload);
    });
  }

  /**
   * @param onChange Gets the payload of each change.
   * @param onLost Called at most once, after the connection was opened.
   * @throws PoolerError where no notification comes back; Error where the server does not respond in time.
   */
  static async open(
    url: string,
    onChange: (payload: string) => void,
    onLost: (error: unknown) => void,
  ): Promise<FeedConnection> {
    const connection = new FeedConnection(url, onChange, onLost);
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
   * Sends a notification and waits until it is received.
   * @returns When it was sent, by `performance.now()`: every change committed before is received by now.
   * @throws PoolerError where the notification does not come back; Error where the server does not respond in time.
   */
  async beat(): Promise<number> {
    const sentAt = performance.now();
    const beat = String((this.beats += 1));
    const received = new Promise<void>((resolve) => {
      this.received = (payload) => {
        if (payload === beat) resolve();
      };
    });
    const progress = { sent: false };
    const sending = this.sender.query('SELECT pg_notify($1, $2)', [this.channel, beat]).then(() => {
      progress.sent = true;
    });
    const heartbeat = Promise.all([sending, received]).then(() => true);
    const inTime = await withDeadline(heartbeat, HEARTBEAT_TIMEOUT, () => false);
    if (inTime) return sentAt;
    throw progress.sent && this.sender !== this.listener
      ? new PoolerError(`${this.listener.host}:${this.listener.port}`)
      : new Error('No response to a heartbeat');
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
    await this.listener.connect();
    // One string is one transaction, and so one session behind any pooler.
    const results = (await this.listener.query(
      `LISTEN ${CHANGES_CHANNEL}; LISTEN ${this.channel}; SELECT pg_backend_pid() AS pid`,
    )) as unknown as readonly pg.QueryResult<{ pid: number }>[];
    if (processIdOf(this.listener) === results.at(-1)?.rows[0]?.pid) return;
    this.sender = this.createClient();
    await this.sender.connect();
  }

  private createClient(): pg.Client {
    const client = new pg.Client({
      connectionString: this.url,
      application_name: 'pixseal change feed',
      connectionTimeoutMillis: CONNECT_TIMEOUT,
      query_timeout: CONNECT_TIMEOUT,
    });
    // At any time: an `error` event without a listener ends the process.
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
