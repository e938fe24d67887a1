import type { OnApplicationShutdown } from '@nestjs/common';
import { Logger } from '@nestjs/common';
import { Redis, type Result } from 'ioredis';
import { withDeadline } from '../deadline.js';
import { MemoryRateLimitStorage } from './memory-rate-limit.storage.js';
import { type RateLimitResult, type Rate, RateLimitStorage, TOLERANCE } from './rate-limit.storage.js';

declare module 'ioredis' {
  interface RedisCommander<Context> {
    /** `SPEND`, as the client names it. */
    consumeAllowance(
      key: string,
      limit: number,
      ttl: number,
      cost: number,
      tolerance: number,
    ): Result<[refused: number, debt: string], Context>;
  }
}

/** Milliseconds that a request waits for Redis before it is counted here instead. */
const WAIT = 50;
/** Milliseconds after which the client forgets what it still waits for: a Redis that is stuck must not fill memory. */
const FORGET = 1_000;
/** Milliseconds for which nobody asks a Redis that did not answer. */
const REST = 1_000;
const CONNECT_TIMEOUT = 1_000;
const MAX_RECONNECT_DELAY = 2_000;
/** Errors of a cluster about a key of another server. */
const CLUSTER = /^(MOVED|ASK|CROSSSLOT|CLUSTERDOWN|TRYAGAIN)\b/;
const READ_ONLY = /^READONLY\b/;
const CERTIFICATE = /certificate/i;
const UNKNOWN_COMMAND = /\bunknown command\b/i;
const NO_DATABASE = /\bDB index is out of range\b/i;
/** What a message is cut at: Redis quotes the arguments of a command, and so the script. */
const QUOTED_COMMAND = /[\r\n]|, with args/;
const PREFIX = 'pixseal:limit:';

/** `spend` in one step, by Redis's own clock: those of the replicas may differ. Times are milliseconds. */
const SPEND = `
local limit, ttl, cost, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local debt = math.max(0, tonumber(redis.call('GET', KEYS[1]) or '0') - now)
if debt + ttl / limit - ttl > tolerance then
  return { 1, string.format('%.3f', debt) }
end
if cost > 0 then
  debt = debt + cost * ttl / limit
  redis.call('SET', KEYS[1], string.format('%.6f', now + debt), 'PX', math.ceil(debt))
end
return { 0, string.format('%.3f', debt) }
`;

/**
 * Counts in Redis, for all replicas at once. A Redis that is gone or slow never refuses a request and never holds one
 * for longer than 50 ms: this process then counts alone until it answers again.
 */
export class RedisRateLimitStorage extends RateLimitStorage implements OnApplicationShutdown {
  override readonly isAsync = true;
  private readonly logger = new Logger(RedisRateLimitStorage.name);
  private readonly redis: Redis;
  private restsUntil = 0;
  private lost = false;
  /** Whether this connection leads to the database of the URL on a server that counts. */
  private verified = false;

  constructor(
    url: string,
    private readonly local = new MemoryRateLimitStorage(),
  ) {
    super();
    this.redis = new Redis(url, {
      scripts: { consumeAllowance: { lua: SPEND, numberOfKeys: 1 } },
      connectTimeout: CONNECT_TIMEOUT,
      commandTimeout: FORGET,
      // What cannot be sent now is counted here: nothing is kept to be sent, or sent again, later.
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
    if (!this.verified || this.redis.status !== 'ready' || performance.now() < this.restsUntil) {
      return this.local.consume(key, rate, cost);
    }
    const asked = this.redis.consumeAllowance(PREFIX + key, rate.limit, rate.ttl, cost, TOLERANCE);
    return withDeadline(asked, WAIT, () => {
      throw new Error(`no answer in ${WAIT} ms`);
    }).then(
      ([refused, backlog]) => {
        // A replica responds to a look without a charge, and to a refusal.
        if (cost > 0 && refused === 0) this.reconnected();
        return { refused: refused === 1, backlog: Number(backlog) };
      },
      (error: unknown) => {
        this.restsUntil = performance.now() + REST;
        this.disconnected(error);
        // Some keys of a cluster are on this server: it would be lost and found again with every other caller.
        if (error instanceof Error && CLUSTER.test(error.message)) this.redis.disconnect();
        return this.local.consume(key, rate, cost);
      },
    );
  }

  /**
   * Checks a new connection. The client goes on with the first database where that of the URL does not exist, and there
   * it would count together with services that it shares nothing with.
   */
  private async verify(): Promise<void> {
    try {
      // A user may lack the permission; the script then shows what the server is.
      const [role] = await this.redis.role().catch(ignoreReply);
      if (role === 'sentinel') throw new SentinelError();
      const { db = 0 } = this.redis.options;
      if (db !== 0) await this.redis.select(db);
      this.verified = true;
    } catch (error) {
      this.disconnected(error);
      // No response: another connection may get one.
      if (!isReply(error) && !(error instanceof SentinelError)) this.redis.disconnect(true);
    }
  }

  onApplicationShutdown(): void {
    this.redis.disconnect();
  }

  /** Once per loss, however many requests meet it. */
  private disconnected(error: unknown): void {
    if (this.lost) return;
    this.lost = true;
    this.logger.warn(`${describeFault(error)}: rates are counted in this process alone`);
  }

  private reconnected(): void {
    if (!this.lost) return;
    this.lost = false;
    this.logger.log('Redis answers again: rates are counted for all replicas');
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

/** What is wrong, and what to do about it where that is a matter of the setting. */
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
  return `Redis does not answer (${reason}${hint})`;
}
