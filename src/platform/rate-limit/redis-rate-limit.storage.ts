import type { OnApplicationShutdown } from '@nestjs/common';
import { Logger } from '@nestjs/common';
import { Redis, type Result } from 'ioredis';
import { MemoryRateLimitStorage } from './memory-rate-limit.storage.js';
import { backlogOf, type RateLimitResult, type Rate, RateLimitStorage } from './rate-limit.storage.js';

declare module 'ioredis' {
  interface RedisCommander<Context> {
    /** Runs `REPORT`. @param args The keys; then for each its additional and its greatest backlog. */
    reportConsumption(numberOfKeys: number, ...args: (string | number)[]): Result<string[], Context>;
  }
}

/** Milliseconds from the start of one report to that of the next. */
const INTERVAL = 100;
/** Milliseconds until a command without a response fails, a report too. */
const COMMAND_TIMEOUT = 1_000;
/** Milliseconds from an error, or a missing response, to a new connection. */
const PAUSE = 1_000;
const CONNECT_TIMEOUT = 1_000;
const MAX_RECONNECT_DELAY = 2_000;
/** Callers in one report, about 2 MB: a slow Redis must not fill memory. Further ones are counted by this process alone. */
const MAX_CALLERS = 10_000;
/** Callers in one command: Redis runs nothing else in the meantime. */
const BATCH = 500;
/** Errors of a cluster for a key of another server. */
const CLUSTER = /^(MOVED|ASK|CLUSTERDOWN|TRYAGAIN)\b/;
const READ_ONLY = /^READONLY\b/;
const CERTIFICATE = /certificate/i;
const UNKNOWN_COMMAND = /\bunknown command\b/i;
const NO_DATABASE = /\bDB index is out of range\b/i;
/** Cuts a message before the arguments of a command, which Redis quotes: the script is one of them. */
const QUOTED_COMMAND = /[\r\n]|, with args/;
/** A cluster and a sharding proxy hash the part in braces only: one command must not have keys of two servers. */
const PREFIX = '{pixseal}:limit:';

/**
 * Adds to the backlogs of the keys and returns them, by Redis's clock: those of the replicas may differ. Times are
 * milliseconds. The limit of a backlog also bounds the effect of a clock that is set back. A value that is not a number
 * counts as 0 and is overwritten: one foreign key must not end the counts of all callers.
 */
const REPORT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local backlogs = {}
for i, key in ipairs(KEYS) do
  local stored = redis.pcall('GET', key)
  local backlog = math.max(0, (type(stored) == 'string' and tonumber(stored) or 0) - now)
  backlog = math.min(backlog + tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i]))
  redis.call('SET', key, string.format('%.6f', now + backlog), 'PX', math.ceil(backlog))
  backlogs[i] = string.format('%.3f', backlog)
end
return backlogs
`;

/** What a caller consumed since the last report, in milliseconds of backlog. */
interface Consumption {
  backlog: number;
  /** The greatest backlog in Redis. An excess beyond it is not repaid. */
  readonly max: number;
}

/**
 * Counts in this process, and shares the counts of all replicas through Redis in the background: no request waits.
 *
 * A report adds what callers consumed since the last one to their backlogs in Redis, and raises the local ones to the
 * result. It starts with the first consumption, at least 100 ms after the last report started and once that has its
 * response. So a replica accepts requests of a caller without the counts of the others for at most
 * `S = max(100 ms, R) + R`, where R is the time for Redis's response; and all N replicas together accept, in a period T,
 *
 * - at most `limit + T × limit / ttl + N × A`, where A is what one replica receives of the caller within S, as long as
 *   `N × A` is at most `limit`. Such an excess is repaid: it delays the next requests.
 * - never more than `N × (limit + T × limit / ttl)`, which also holds without Redis.
 *
 * `docs/decisions/0024-redis-without-a-wait.md` derives it. An unreachable or slow Redis refuses and delays no request:
 * this process counts alone until Redis responds again. What it refuses stays refused: Redis never lowers a backlog.
 */
export class RedisRateLimitStorage extends RateLimitStorage implements OnApplicationShutdown {
  private readonly logger = new Logger(RedisRateLimitStorage.name);
  private readonly redis: Redis;
  private isDisconnected = false;
  /** Whether this connection leads to the database of the URL on a server that can count. */
  private verified = false;
  /** By key. */
  private unreported = new Map<string, Consumption>();
  /** Whether a report is due or has no response yet. */
  private isReporting = false;
  private reportedAt = -Infinity;
  /** Of a new connection. */
  private timer: NodeJS.Timeout | undefined;

  constructor(
    url: string,
    private readonly local = new MemoryRateLimitStorage(),
  ) {
    super();
    this.redis = new Redis(url, {
      scripts: { reportConsumption: { lua: REPORT } },
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
      this.stopSharing();
    });
    this.redis.on('ready', () => {
      void this.verify();
    });
  }

  override consume(key: string, rate: Rate, cost = 1): RateLimitResult {
    const result = this.local.consume(key, rate, cost);
    if (this.verified && cost > 0 && !result.refused) this.note(key, rate, cost);
    return result;
  }

  private note(key: string, rate: Rate, cost: number): void {
    const consumption = this.unreported.get(key);
    const backlog = backlogOf(cost, rate);
    if (consumption !== undefined) consumption.backlog += backlog;
    // A request may overdraw the allowance by another one.
    else if (this.unreported.size < MAX_CALLERS) this.unreported.set(key, { backlog, max: 2 * rate.ttl });
    if (!this.isReporting) this.scheduleReport();
  }

  private scheduleReport(): void {
    this.isReporting = true;
    const delay = Math.max(0, this.reportedAt + INTERVAL - performance.now());
    setTimeout(() => void this.report(), delay).unref();
  }

  private async report(): Promise<void> {
    this.reportedAt = performance.now();
    const consumptions = [...this.unreported];
    this.unreported = new Map();
    const batches = Array.from({ length: Math.ceil(consumptions.length / BATCH) }, (_, index) =>
      consumptions.slice(index * BATCH, (index + 1) * BATCH),
    );
    try {
      // All are sent before the first response: they wait for one round trip.
      await Promise.all(batches.map((batch) => this.reportBatch(batch)));
      if (batches.length > 0) this.logReconnected();
    } catch (error) {
      this.failed(error);
    }
    this.isReporting = false;
    if (this.unreported.size > 0) this.scheduleReport();
  }

  private async reportBatch(batch: readonly (readonly [key: string, Consumption])[]): Promise<void> {
    const keys = batch.map(([key]) => PREFIX + key);
    const values = batch.flatMap(([, { backlog, max }]) => [backlog, max]);
    const backlogs = await this.redis.reportConsumption(keys.length, ...keys, ...values);
    batch.forEach(([key], index) => {
      const since = this.unreported.get(key)?.backlog ?? 0;
      this.local.raise(key, Number(backlogs[index]) + since);
    });
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

  private failed(error: unknown): void {
    // Commands in flight fail at the shutdown.
    if (this.redis.status === 'end') return;
    this.logDisconnected(error);
    this.stopSharing();
    // A new connection drops commands without a response, and may lead to another server after a failover.
    if (this.redis.status === 'ready') {
      this.timer = setTimeout(() => {
        this.redis.disconnect(true);
      }, PAUSE).unref();
    }
  }

  private stopSharing(): void {
    this.verified = false;
    this.unreported.clear();
    clearTimeout(this.timer);
  }

  onApplicationShutdown(): void {
    this.redis.disconnect();
    this.stopSharing();
  }

  /** Logs once per disconnection. */
  private logDisconnected(error: unknown): void {
    if (this.isDisconnected) return;
    this.isDisconnected = true;
    this.logger.warn(`${describeFault(error)}: rates are counted in this process alone`);
  }

  private logReconnected(): void {
    if (!this.isDisconnected) return;
    this.isDisconnected = false;
    this.logger.log('Redis responds again: rates are counted for all replicas');
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
