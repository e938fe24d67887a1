/** A rate limit: a burst of `limit` requests, refilled evenly over `ttl` milliseconds. */
export interface Rate {
  readonly limit: number;
  readonly ttl: number;
}

const MINUTE = 60_000;

/** A rate of requests a minute. */
export const perMinute = (limit: number): Rate => ({ limit, ttl: MINUTE });

/** The state of a caller's allowance. */
export interface RateLimitResult {
  /** Whether this request is refused; a refused one is not counted. */
  readonly refused: boolean;
  /** Milliseconds until the allowance is full again. */
  readonly backlog: number;
}

/**
 * Tolerance for rounding errors of sums, in milliseconds: otherwise the last request of an allowance could be refused.
 */
export const TOLERANCE = 0.01;

/**
 * Counts allowances by the generic cell rate algorithm: one number per caller, the time at which its allowance is full
 * again. Fixed windows would accept twice the limit around each border.
 */
export abstract class RateLimitStorage {
  /**
   * Consumes a part of a caller's allowance. It never waits: a redirect stays within one turn of the event loop.
   * @param cost May exceed the rest of the allowance; 0 only reads its state.
   */
  abstract consume(key: string, rate: Rate, cost?: number): RateLimitResult;
}

/** Milliseconds of backlog that a cost adds. */
export function backlogOf(cost: number, { limit, ttl }: Rate): number {
  return (cost * ttl) / limit;
}

/** Milliseconds until one more request fits into an allowance. */
export function retryDelay(backlog: number, { limit, ttl }: Rate): number {
  return Math.max(0, backlog + ttl / limit - ttl);
}
