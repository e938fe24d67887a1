import type { Logger } from '@nestjs/common';
import { Redis, type RedisOptions } from 'ioredis';

/** Milliseconds until a command without a response fails. */
const COMMAND_TIMEOUT = 1_000;
/** Milliseconds from an error, or a missing response, to a new connection. */
const PAUSE = 1_000;
const CONNECT_TIMEOUT = 1_000;
const MAX_RECONNECT_DELAY = 2_000;
/** Errors of a cluster for a key of another server. */
const CLUSTER = /^(MOVED|ASK|CLUSTERDOWN|TRYAGAIN)\b/;
const READ_ONLY = /^READONLY\b/;
const CERTIFICATE = /certificate/i;
const UNKNOWN_COMMAND = /\bunknown command\b/i;
const NO_DATABASE = /\bDB index is out of range\b/i;
/** Cuts a message before the arguments of a command, which Redis quotes: the script is one of them. */
const QUOTED_COMMAND = /[\r\n]|, with args/;

/** What depends on a link, for the log and when it is disconnected. */
export interface RedisLinkUse {
  readonly logger: Logger;
  /** The consequence of a disconnection: follows its reason and a colon. */
  readonly whileDisconnected: string;
  /** The consequence of a new connection: follows "Redis responds again: ". */
  readonly onceConnected: string;
  /** Called at each disconnection. */
  readonly onDisconnect?: () => void;
}

/**
 * A connection to the Redis primary of `REDIS_URL`. A command is sent at once or fails: it never waits for a connection
 * and is never sent again. A server without a response for a second is connected to again, after a pause.
 */
export class RedisLink {
  readonly redis: Redis;
  private isDisconnected = false;
  /** Whether this connection leads to the database of the URL on a server that can count. */
  private verified = false;
  /** Of a new connection. */
  private timer: NodeJS.Timeout | undefined;

  constructor(
    url: string,
    scripts: NonNullable<RedisOptions['scripts']>,
    private readonly use: RedisLinkUse,
  ) {
    this.redis = new Redis(url, {
      scripts,
      connectTimeout: CONNECT_TIMEOUT,
      commandTimeout: COMMAND_TIMEOUT,
      // A command that cannot be sent now is never queued or sent again.
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: (times) => Math.min(times * 100, MAX_RECONNECT_DELAY),
    });
    this.redis.on('error', (error) => {
      this.logDisconnected(error);
    });
    this.redis.on('close', () => {
      this.disconnected();
    });
    this.redis.on('ready', () => {
      void this.verify();
    });
  }

  /** Whether commands can be sent. */
  get isReady(): boolean {
    return this.verified;
  }

  /** Reports that a command had its response. */
  responded(): void {
    if (!this.isDisconnected) return;
    this.isDisconnected = false;
    this.use.logger.log(`Redis responds again: ${this.use.onceConnected}`);
  }

  /** Reports that a command failed, and connects again after a pause. */
  failed(error: unknown): void {
    // Commands in flight fail at the shutdown.
    if (this.redis.status === 'end') return;
    this.logDisconnected(error);
    this.disconnected();
    // A new connection drops commands without a response, and may lead to another server after a failover.
    if (this.redis.status === 'ready') {
      this.timer = setTimeout(() => {
        this.redis.disconnect(true);
      }, PAUSE).unref();
    }
  }

  close(): void {
    this.redis.disconnect();
    this.disconnected();
  }

  /**
   * Checks a connection. If the database of the URL does not exist, the client uses the first one, whose counts may be
   * those of other services.
   */
  private async verify(): Promise<void> {
    try {
      // A user may lack the permission; the script's error then identifies the server.
      const [role] = await this.redis.role().catch(ignoreReply);
      if (role === 'sentinel') throw new SentinelError();
      const { db = 0 } = this.redis.options;
      if (db !== 0) await this.redis.select(db);
      this.verified = true;
    } catch (error) {
      this.failed(error);
    }
  }

  private disconnected(): void {
    this.verified = false;
    clearTimeout(this.timer);
    this.use.onDisconnect?.();
  }

  /** Logs once per disconnection. */
  private logDisconnected(error: unknown): void {
    if (this.isDisconnected) return;
    this.isDisconnected = true;
    this.use.logger.warn(`${describeFault(error)}: ${this.use.whileDisconnected}`);
  }
}

/** REDIS_URL leads to a Redis Sentinel, which has no keys. */
class SentinelError extends Error {}

/** Ignores an error that Redis returned. */
function ignoreReply(error: unknown): readonly [] {
  if (error instanceof Error && error.name === 'ReplyError') return [];
  throw error;
}

/** The fault, and the correction of the setting if it is at fault. */
function describeFault(error: unknown): string {
  const [reason = ''] = error instanceof Error ? error.message.split(QUOTED_COMMAND) : ['unknown'];
  if (error instanceof SentinelError)
    return 'REDIS_URL leads to a Redis Sentinel, and one primary is supported';
  if (CLUSTER.test(reason)) return 'REDIS_URL leads to a Redis Cluster, and one primary is supported';
  if (READ_ONLY.test(reason))
    return 'REDIS_URL leads to a read-only replica of Redis, and not to its primary';
  if (NO_DATABASE.test(reason))
    return 'REDIS_URL ends with the number of a database that Redis does not have';
  if (UNKNOWN_COMMAND.test(reason)) return `REDIS_URL leads to a server that cannot count (${reason})`;
  const hint = CERTIFICATE.test(reason)
    ? '; the file that NODE_EXTRA_CA_CERTS names at the start adds the CA of its certificate'
    : '';
  return `Redis does not respond (${reason}${hint})`;
}
