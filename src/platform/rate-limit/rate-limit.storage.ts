/** How much a caller may ask: `limit` requests at once, repaid evenly over `ttl` milliseconds. */
export interface Rate {
  readonly limit: number;
  readonly ttl: number;
}

/** What is left of an allowance. */
export interface RateLimitResult {
  /** Whether this request is refused; a refused one is not counted. */
  readonly refused: boolean;
  /** Milliseconds until the allowance is whole again. */
  readonly backlog: number;
}

/**
 * Rounding of sums of times, in milliseconds: without it the last request of an allowance would fall to an error in
 * the last digit.
 */
export const TOLERANCE = 0.01;

/**
 * Where allowances are counted, by the generic cell rate algorithm: one number per caller, the moment at which all
 * it has asked for is repaid. A window of fixed borders would let twice the limit through around each of them.
 */
export abstract class RateLimitStorage {
  /** Whether `consume` may return a promise. */
  abstract readonly isAsync: boolean;

  /**
   * Takes from a caller's allowance.
   * @param cost What the request counts for; more than is left is lent, nothing (0) only looks.
   * @returns no promise where nothing is waited for: a redirect then stays within one turn of the event loop.
   */
  abstract consume(key: string, rate: Rate, cost?: number): RateLimitResult | Promise<RateLimitResult>;
}

/** Milliseconds until one more request fits into an allowance. */
export function retryDelay(backlog: number, { limit, ttl }: Rate): number {
  return Math.max(0, backlog + ttl / limit - ttl);
}
