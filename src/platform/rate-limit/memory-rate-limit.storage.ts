import { LRUCache } from 'lru-cache';
import {
  type RateLimitResult,
  type Rate,
  RateLimitStorage,
  TOLERANCE,
  retryDelay,
} from './rate-limit.storage.js';

/** Callers remembered at the most, about 15 MB. Who forgets others by this has as many addresses itself. */
const MAX_CALLERS = 50_000;

/** Counts in this process alone, by a clock that nobody can set. */
export class MemoryRateLimitStorage extends RateLimitStorage {
  override readonly isAsync = false;
  private readonly callers: LRUCache<string, { repaidAt: number }>;

  constructor(max = MAX_CALLERS) {
    super();
    this.callers = new LRUCache({ max });
  }

  override consume(key: string, rate: Rate, cost = 1): RateLimitResult {
    const now = performance.now();
    const caller = this.callers.get(key);
    const backlog = Math.max(0, (caller?.repaidAt ?? 0) - now);
    if (retryDelay(backlog, rate) > TOLERANCE) return { refused: true, backlog };
    if (cost === 0) return { refused: false, backlog };
    const repaidAt = now + backlog + (cost * rate.ttl) / rate.limit;
    if (caller === undefined) this.callers.set(key, { repaidAt });
    else caller.repaidAt = repaidAt;
    return { refused: false, backlog: repaidAt - now };
  }

  get size(): number {
    return this.callers.size;
  }
}
