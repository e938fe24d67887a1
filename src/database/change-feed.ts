import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import pg from 'pg';
import { DataSource } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import { ENVIRONMENT } from '../config/config.module.js';
import type { Environment } from '../config/environment.js';
import { Observations } from '../metrics/observations.js';

const CHANNEL = 'pixseal_changes';
/** Milliseconds. A silent connection is noticed within the beat and the beat's own timeout: a second. */
const HEARTBEAT = 400;
const HEARTBEAT_TIMEOUT = 600;
const CONNECT_TIMEOUT = 1_000;
const RECONNECT_DELAY = 500;
/** Milliseconds that a goodbye to the server may take. */
const CLOSE_TIMEOUT = 1_000;

/** A row that was inserted, updated or deleted, by whomever. */
export interface RowChange {
  readonly table: 'issuers' | 'issuer_keys' | 'images' | 'overlays' | 'revocations' | 'admin_keys';
  readonly id: string;
  readonly issuer_id: string;
  /** When the transaction that changed it began: Unix seconds by the database's clock; of revocations alone. */
  readonly at?: number;
}

/** Who wants to know of changes. */
export interface ChangeListener {
  rowChanged(change: RowChange): void;
  /** Whether changes are being told. Each time it comes back, some may have been missed meanwhile. */
  liveChanged(live: boolean): void;
  /** Everything that had changed by then has been told. @param at by `performance.now()`. */
  heardAll?(at: number): void;
}

/** Tells what changed in the database, heard over `LISTEN`: the migrations' triggers send it. */
@Injectable()
export class ChangeFeed implements OnModuleInit {
  private readonly logger = new Logger(ChangeFeed.name);
  private readonly listeners: ChangeListener[] = [];
  private client: pg.Client | null = null;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;
  private live = false;
  /** By `performance.now()`. */
  private heardAt = performance.now();

  constructor(
    private readonly dataSource: DataSource,
    private readonly observations: Observations,
    @Inject(ENVIRONMENT) private readonly environment: Environment,
  ) {}

  /** Whether changes are being told. */
  get isLive(): boolean {
    return this.live;
  }

  /** Milliseconds since everything that had changed was last known to have been told. */
  get silentFor(): number {
    // In the process there is no way on which a change could be lost.
    if (this.live && this.environment.database.kind === 'embedded') return 0;
    return performance.now() - this.heardAt;
  }

  /** Must be called before the application starts; a listener stays for good. */
  subscribe(listener: ChangeListener): void {
    this.listeners.push(listener);
  }

  async onModuleInit(): Promise<void> {
    const { database } = this.environment;
    if (database.kind === 'embedded') await this.listenInProcess();
    else await this.listenOnServer(database.url);
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    const client = this.client;
    this.client = null;
    if (client === null) return;
    const timeout = new Promise((resolve) => setTimeout(resolve, CLOSE_TIMEOUT).unref());
    await Promise.race([client.end().catch(() => undefined), timeout]);
  }

  /** The pool's one connection hears its own process's changes, and there is no other. */
  private async listenInProcess(): Promise<void> {
    const driver = this.dataSource.driver as PostgresDriver;
    const [client, release] = (await driver.obtainMasterConnection()) as [pg.PoolClient, () => void];
    client.on('notification', this.hear);
    await client.query(`LISTEN ${CHANNEL}`);
    release();
    this.tellLive(true);
  }

  private async listenOnServer(url: string): Promise<void> {
    const client = new pg.Client({
      connectionString: url,
      application_name: 'pixseal change feed',
      connectionTimeoutMillis: CONNECT_TIMEOUT,
      query_timeout: CONNECT_TIMEOUT,
    });
    const lost = (): void => {
      if (this.client === client) {
        this.client = null;
        this.tellLive(false);
        this.logger.warn('The change feed is lost; entries live shortly until it is back');
      }
      void client.end().catch(() => undefined);
      this.later(RECONNECT_DELAY, () => this.listenOnServer(url));
    };
    client.on('notification', this.hear);
    // Whatever is not waited for, at any moment from here on: an error that nobody hears would end the process.
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query(`LISTEN ${CHANNEL}`);
    } catch {
      lost();
      return;
    }
    client.once('error', lost);
    if (this.closed) {
      void client.end().catch(() => undefined);
      return;
    }
    this.client = client;
    this.tellLive(true);
    this.beat(client);
  }

  private beat(client: pg.Client): void {
    this.later(HEARTBEAT, async () => {
      const sentAt = performance.now();
      try {
        await answerInTime(client.query('SELECT 1'));
        if (this.client !== client) return;
        this.heardAt = sentAt;
        for (const listener of this.listeners) listener.heardAll?.(sentAt);
        this.beat(client);
      } catch (error) {
        client.emit('error', error);
      }
    });
  }

  private later(delay: number, task: () => Promise<void>): void {
    if (this.closed) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void task(), delay).unref();
  }

  private readonly hear = ({ channel, payload }: pg.Notification): void => {
    if (channel !== CHANNEL) return;
    const change = readChange(payload ?? '');
    if (change === null) {
      this.logger.warn(`A notification on ${CHANNEL} is none of the triggers' own, and is ignored`);
      return;
    }
    for (const listener of this.listeners) listener.rowChanged(change);
    if (change.at !== undefined) this.observations.revocationLag.observe(Date.now() - 1_000 * change.at);
  };

  private tellLive(live: boolean): void {
    this.live = live;
    if (live) this.heardAt = performance.now();
    for (const listener of this.listeners) listener.liveChanged(live);
  }
}

/** Null for what no trigger wrote: every role that may connect may send a `NOTIFY`. */
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

/** Waits for a heartbeat's answer. @throws where it does not come in time. */
async function answerInTime(answer: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      // A process that was held up finds the timer first and the answer after it: that one has come in time.
      setImmediate(() => {
        setImmediate(reject, new Error('The heartbeat was not answered'));
      });
    }, HEARTBEAT_TIMEOUT);
  });
  try {
    await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
