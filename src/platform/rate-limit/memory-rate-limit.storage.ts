import { LRUCache } from 'lru-cache';
import {
  backlogOf,
  type RateLimitResult,
  type Rate,
  RateLimitStorage,
  TOLERANCE,
  retryDelay,
} from './rate-limit.storage.js';

/** Maximum number of callers, about 15 MB. Evicting the others takes as many addresses. */
const MAX_CALLERS = 50_000;

/** Counts in this process only, by a monotonic clock. */
export class MemoryRateLimitStorage extends RateLimitStorage {
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
    const repaidAt = now + backlog + backlogOf(cost, rate);
    if (caller === undefined) this.callers.set(key, { repaidAt });
    else caller.repaidAt = repaidAt;
    return { refused: false, backlog: repaidAt - now };
  }

  /** Raises a caller's backlog to at least this many milliseconds; never lowers it. */
  raise(key: string, backlog: number): void {
    const repaidAt = performance.now() + backlog;
    const caller = this.callers.get(key);
    if (caller === undefined) this.callers.set(key, { repaidAt });
    else if (caller.repaidAt < repaidAt) caller.repaidAt = repaidAt;
  }

  get size(): number {
    return this.callers.size;
  }
}
