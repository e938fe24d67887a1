import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import type pg from 'pg';
import { DataSource } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import { ENVIRONMENT } from '../config/config.module.js';
import type { Environment } from '../config/environment.js';
import { Observations } from '../observability/observations.js';
import { ConnectionSettingError } from './connection-setting.error.js';
import { DatabaseServers, findSessionServers } from './database-servers.js';
import { CHANGES_CHANNEL, FeedConnection, type FeedServers, UndeliveredError } from './feed-connection.js';

/** Milliseconds from one heartbeat to the next. A silent connection is noticed within that and the heartbeat's timeout. */
const HEARTBEAT = 400;
const RECONNECT_DELAY = 500;
/** Milliseconds until it is tried again if notifications do not arrive: it takes an operator to change that. */
const UNDELIVERED_DELAY = 5_000;

/** A row that any client inserted, updated or deleted. */
export interface RowChange {
  readonly table:
    'issuers' | 'issuer_keys' | 'images' | 'overlays' | 'revocations' | 'admin_keys' | 'accounts';
  readonly id: string;
  readonly issuer_id: string;
  /** When the transaction that changed it began: Unix seconds by the database's clock; only of revocations. */
  readonly at?: number;
}

/** Receives changes of rows. */
export interface ChangeListener {
  rowChanged(change: RowChange): void;
  /** Whether the feed is live. Changes may have been missed each time it becomes live again. */
  onConnectionChange(live: boolean): void;
  /** Every change committed before this time was delivered. @param at by `performance.now()`. */
  onHeartbeat?(at: number): void;
}

/** Delivers changes of rows, which the migrations' triggers send and `LISTEN` receives. */
@Injectable()
export class ChangeFeed implements OnModuleInit {
  private readonly logger = new Logger(ChangeFeed.name);
  private readonly listeners: ChangeListener[] = [];
  private connection: FeedConnection | null = null;
  /** Causes that were logged since the feed was last live: once each, however often it is tried again. */
  private readonly warnings = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private closed = false;
  private live = false;
  /** By `performance.now()`. */
  private receivedAt = performance.now();

  constructor(
    private readonly dataSource: DataSource,
    private readonly observations: Observations,
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    /** Those of DATABASE_URL; null for the embedded database. */
    @Inject(DatabaseServers) private readonly servers: DatabaseServers | null,
  ) {}

  /** Whether changes are delivered now. */
  get isLive(): boolean {
    return this.live;
  }

  /** Milliseconds since the last heartbeat, before which every committed change was delivered. */
  get silentFor(): number {
    // Within the process no change can be lost.
    if (this.live && this.environment.database.kind === 'embedded') return 0;
    return performance.now() - this.receivedAt;
  }

  /** Must be called before the application starts; a listener cannot be removed. */
  subscribe(listener: ChangeListener): void {
    this.listeners.push(listener);
  }

  async onModuleInit(): Promise<void> {
    const send = this.servers;
    const listen = findSessionServers(this.environment.database, send);
    if (send === null || listen === null) await this.listenInProcess();
    else await this.listenOnServer({ send, listen });
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    const connection = this.connection;
    this.connection = null;
    await connection?.end();
  }

  /** The embedded database has one connection, which also receives the changes it makes. */
  private async listenInProcess(): Promise<void> {
    const driver = this.dataSource.driver as PostgresDriver;
    const [client, release] = (await driver.obtainMasterConnection()) as [pg.PoolClient, () => void];
    client.on('notification', ({ channel, payload }) => {
      if (channel === CHANGES_CHANNEL) this.receive(payload ?? '');
    });
    await client.query(`LISTEN ${CHANGES_CHANNEL}`);
    release();
    this.tellLive(true);
  }

  private async listenOnServer(servers: FeedServers): Promise<void> {
    let lost = false;
    const disconnect = (error: unknown): void => {
      if (lost) return;
      lost = true;
      if (this.live) this.tellLive(false);
      const connection = this.connection;
      this.connection = null;
      void connection?.end();
      this.warn(error);
      this.later(error instanceof UndeliveredError ? UNDELIVERED_DELAY : RECONNECT_DELAY, () =>
        this.listenOnServer(servers),
      );
    };
    try {
      const connection = await servers.listen.tryEach(() =>
        FeedConnection.open(servers, this.receive, disconnect),
      );
      if (this.closed || connection.isEnded) {
        void connection.end();
        return;
      }
      this.connection = connection;
      this.tellLive(true);
      if (this.warnings.size > 0) this.logger.log('The change feed is live again');
      this.warnings.clear();
      this.beat(connection, disconnect);
    } catch (error) {
      disconnect(error);
    }
  }

  private beat(connection: FeedConnection, disconnect: (error: unknown) => void): void {
    this.later(HEARTBEAT, async () => {
      try {
        const sentAt = await connection.beat();
        if (this.connection !== connection) return;
        this.receivedAt = sentAt;
        for (const listener of this.listeners) listener.onHeartbeat?.(sentAt);
        this.beat(connection, disconnect);
      } catch (error) {
        disconnect(error);
      }
    });
  }

  private warn(error: unknown): void {
    const reason = error instanceof ConnectionSettingError ? `: ${error.message}` : '';
    const warning =
      error instanceof UndeliveredError
        ? error.message
        : `The change feed is lost; cached rows live for 1 s until it is live again${reason}`;
    if (this.closed || this.warnings.has(warning)) return;
    this.warnings.add(warning);
    this.logger.warn(warning);
  }

  private later(delay: number, task: () => Promise<void>): void {
    if (this.closed) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void task(), delay).unref();
  }

  private readonly receive = (payload: string): void => {
    const change = readChange(payload);
    if (change === null) {
      this.logger.warn(`A notification on ${CHANGES_CHANNEL} was not sent by a trigger and is ignored`);
      return;
    }
    for (const listener of this.listeners) listener.rowChanged(change);
    if (change.at !== undefined) this.observations.revocationLag.observe(Date.now() - 1_000 * change.at);
  };

  private tellLive(live: boolean): void {
    this.live = live;
    if (live) this.receivedAt = performance.now();
    for (const listener of this.listeners) listener.onConnectionChange(live);
  }
}

/** Null for any other payload: every role that may connect may send a `NOTIFY`. */
function readChange(payload: string): RowChange | null {
  try {
    const change: unknown = JSON.parse(payload);
    return isRowChange(change) ? change : null;
  } catch {
    return null;
  }
}

function isRowChange(value: unknown): value is RowChange {
  if (typeof value !== 'object' || value === null) return false;
  const { table, id, issuer_id: issuerId, at } = value as Readonly<Record<string, unknown>>;
  return (
    typeof table === 'string' &&
    typeof id === 'string' &&
    typeof issuerId === 'string' &&
    (at === undefined || typeof at === 'number')
  );
}
