import type { OnApplicationShutdown } from '@nestjs/common';
import { Logger } from '@nestjs/common';
import { Redis, type Result } from 'ioredis';
import { withDeadline } from '../deadline.js';
import { MemoryRateLimitStorage } from './memory-rate-limit.storage.js';
import { type RateLimitResult, type Rate, RateLimitStorage, TOLERANCE } from './rate-limit.storage.js';

declare module 'ioredis' {
  interface RedisCommander<Context> {
    /** Runs `CONSUME`. */
    consumeAllowance(
      key: string,
      limit: number,
      ttl: number,
      cost: number,
      tolerance: number,
    ): Result<[refused: number, backlog: string], Context>;
  }
}

/** Milliseconds that a request waits for Redis before it is counted in this process. */
const WAIT = 50;
/** Milliseconds until the client drops a command without a response: an unresponsive Redis must not fill memory. */
const COMMAND_TIMEOUT = 1_000;
/** Milliseconds without requests to Redis after a timeout or an error. */
const PAUSE = 1_000;
const CONNECT_TIMEOUT = 1_000;
const MAX_RECONNECT_DELAY = 2_000;
/** Errors of a cluster for a key of another server. */
const CLUSTER = /^(MOVED|ASK|CROSSSLOT|CLUSTERDOWN|TRYAGAIN)\b/;
const READ_ONLY = /^READONLY\b/;
const CERTIFICATE = /certificate/i;
const UNKNOWN_COMMAND = /\bunknown command\b/i;
const NO_DATABASE = /\bDB index is out of range\b/i;
/** Cuts a message before the arguments of a command, which Redis quotes: the script is one of them. */
const QUOTED_COMMAND = /[\r\n]|, with args/;
const PREFIX = 'pixseal:limit:';

/** `consume` as one atomic script, by Redis's clock: those of the replicas may differ. Times are milliseconds. */
const CONSUME = `
local limit, ttl, cost, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local backlog = math.max(0, tonumber(redis.call('GET', KEYS[1]) or '0') - now)
if backlog + ttl / limit - ttl > tolerance then
  return { 1, string.format('%.3f', backlog) }
end
if cost > 0 then
  backlog = backlog + cost * ttl / limit
  redis.call('SET', KEYS[1], string.format('%.6f', now + backlog), 'PX', math.ceil(backlog))
end
return { 0, string.format('%.3f', backlog) }
`;

/**
 * Counts in Redis, for all replicas together. An unreachable or slow Redis refuses no request, and delays one by at most
 * 50 ms: this process then counts alone until Redis responds again.
 */
export class RedisRateLimitStorage extends RateLimitStorage implements OnApplicationShutdown {
  override readonly isAsync = true;
  private readonly logger = new Logger(RedisRateLimitStorage.name);
  private readonly redis: Redis;
  private pausedUntil = 0;
  private isDisconnected = false;
  /** Whether this connection leads to the database of the URL on a server that can count. */
  private verified = false;

  constructor(
    url: string,
    private readonly local = new MemoryRateLimitStorage(),
  ) {
    super();
    this.redis = new Redis(url, {
      scripts: { consumeAllowance: { lua: CONSUME, numberOfKeys: 1 } },
      connectTimeout: CONNECT_TIMEOUT,
      commandTimeout: COMMAND_TIMEOUT,
      // A command that cannot be sent now is counted in this process, never queued or sent again.
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: (times) => Math.min(times * 100, MAX_RECONNECT_DELAY),
      // After a failover the same name may lead to another server.
      reconnectOnError: (error) => READ_ONLY.test(error.message),
    });
    this.redis.on('error', (error) => {
      this.disconnected(error);
    });
    this.redis.on('close', () => {
      this.verified = false;
    });
    this.redis.on('ready', () => {
      void this.verify();
    });
  }

  override consume(key: string, rate: Rate, cost = 1): RateLimitResult | Promise<RateLimitResult> {
    if (!this.verified || this.redis.status !== 'ready' || performance.now() < this.pausedUntil) {
      return this.local.consume(key, rate, cost);
    }
    const consumed = this.redis.consumeAllowance(PREFIX + key, rate.limit, rate.ttl, cost, TOLERANCE);
    return withDeadline(consumed, WAIT, () => {
      throw new Error(`no response in ${WAIT} ms`);
    }).then(
      ([refused, backlog]) => {
        // A read-only replica, too, responds to a cost of 0 and to a refusal.
        if (cost > 0 && refused === 0) this.reconnected();
        return { refused: refused === 1, backlog: Number(backlog) };
      },
      (error: unknown) => {
        this.pausedUntil = performance.now() + PAUSE;
        this.disconnected(error);
        // Some keys of a cluster are on this server: the log would alternate between callers.
        if (error instanceof Error && CLUSTER.test(error.message)) this.redis.disconnect();
        return this.local.consume(key, rate, cost);
      },
    );
  }

  /**
   * Checks a new connection. If the database of the URL does not exist, the client uses the first one, whose counts may
   * be those of other services.
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
      this.disconnected(error);
      // Without a response, try another connection.
      if (!isReply(error) && !(error instanceof SentinelError)) this.redis.disconnect(true);
    }
  }

  onApplicationShutdown(): void {
    this.redis.disconnect();
  }

  /** Logs once per disconnection. */
  private disconnected(error: unknown): void {
    if (this.isDisconnected) return;
    this.isDisconnected = true;
    this.logger.warn(`${describeFault(error)}: rates are counted in this process alone`);
  }

  private reconnected(): void {
    if (!this.isDisconnected) return;
    this.isDisconnected = false;
    this.logger.log('Redis responds again: rates are counted for all replicas');
  }
}

/** REDIS_URL leads to a Redis Sentinel, which has no keys. */
class SentinelError extends Error {}

/** Whether Redis responded with an error. */
function isReply(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError';
}

function ignoreReply(error: unknown): readonly [] {
  if (isReply(error)) return [];
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
