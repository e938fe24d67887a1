import { LRUCache } from 'lru-cache';
import { type Allowance, type Rate, RateLimitStorage, TOLERANCE, waitAfter } from './rate-limit.storage.js';

/** Callers remembered at the most, about 15 MB. Who forgets others by this has as many addresses itself. */
const MAX_CALLERS = 50_000;

/** Counts in this process alone, by a clock that nobody can set. */
export class MemoryRateLimitStorage extends RateLimitStorage {
  override readonly waits = false;
  private readonly callers: LRUCache<string, { repaidAt: number }>;

  constructor(max = MAX_CALLERS) {
    super();
    this.callers = new LRUCache({ max });
  }

  override spend(key: string, rate: Rate, cost = 1): Allowance {
    const now = performance.now();
    const caller = this.callers.get(key);
    const debt = Math.max(0, (caller?.repaidAt ?? 0) - now);
    if (waitAfter(debt, rate) > TOLERANCE) return { refused: true, debt };
    if (cost === 0) return { refused: false, debt };
    const repaidAt = now + debt + (cost * rate.ttl) / rate.limit;
    if (caller === undefined) this.callers.set(key, { repaidAt });
    else caller.repaidAt = repaidAt;
    return { refused: false, debt: repaidAt - now };
  }

  get size(): number {
    return this.callers.size;
  }
}
