import type { OnApplicationShutdown } from '@nestjs/common';
import { Logger } from '@nestjs/common';
import type { Result } from 'ioredis';
import { RedisLink } from '../redis/redis-link.js';
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
/** Callers in one report, about 2 MB: a slow Redis must not fill memory. Further ones are counted by this process alone. */
const MAX_CALLERS = 10_000;
/** Callers in one command: Redis runs nothing else in the meantime. */
const BATCH = 500;
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
  private readonly link: RedisLink;
  /** By key. */
  private unreported = new Map<string, Consumption>();
  /** Whether a report is due or has no response yet. */
  private isReporting = false;
  private reportedAt = -Infinity;

  constructor(
    url: string,
    private readonly local = new MemoryRateLimitStorage(),
  ) {
    super();
    this.link = new RedisLink(
      url,
      { reportConsumption: { lua: REPORT } },
      {
        logger: new Logger(RedisRateLimitStorage.name),
        whileDisconnected: 'rates are counted in this process alone',
        onceConnected: 'rates are counted for all replicas',
        onDisconnect: () => {
          this.unreported.clear();
        },
      },
    );
  }

  override consume(key: string, rate: Rate, cost = 1): RateLimitResult {
    const result = this.local.consume(key, rate, cost);
    if (this.link.isReady && cost > 0 && !result.refused) this.note(key, rate, cost);
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
      if (batches.length > 0) this.link.responded();
    } catch (error) {
      this.link.failed(error);
    }
    this.isReporting = false;
    if (this.unreported.size > 0) this.scheduleReport();
  }

  private async reportBatch(batch: readonly (readonly [key: string, Consumption])[]): Promise<void> {
    const keys = batch.map(([key]) => PREFIX + key);
    const values = batch.flatMap(([, { backlog, max }]) => [backlog, max]);
    const backlogs = await this.link.redis.reportConsumption(keys.length, ...keys, ...values);
    batch.forEach(([key], index) => {
      const since = this.unreported.get(key)?.backlog ?? 0;
      this.local.raise(key, Number(backlogs[index]) + since);
    });
  }

  onApplicationShutdown(): void {
    this.link.close();
  }
}
