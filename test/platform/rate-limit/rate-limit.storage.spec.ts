import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MemoryRateLimitStorage } from '../../../src/platform/rate-limit/memory-rate-limit.storage.js';
import { retryDelay } from '../../../src/platform/rate-limit/rate-limit.storage.js';

const MINUTE = 60_000;
const RATE = { limit: 6, ttl: MINUTE };

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const countUntilRefused = (storage: MemoryRateLimitStorage, key: string, rate = RATE): number => {
  let spent = 0;
  while (!storage.consume(key, rate).refused) spent += 1;
  return spent;
};

describe('an allowance in memory', () => {
  it('is available as a burst, and then refilled evenly', () => {
    const storage = new MemoryRateLimitStorage();
    expect(countUntilRefused(storage, 'a')).toBe(6);
    vi.advanceTimersByTime(9_999);
    expect(countUntilRefused(storage, 'a')).toBe(0);
    vi.advanceTimersByTime(1);
    expect(countUntilRefused(storage, 'a')).toBe(1);
    vi.advanceTimersByTime(MINUTE);
    expect(countUntilRefused(storage, 'a')).toBe(6);
    vi.advanceTimersByTime(100 * MINUTE);
    expect(countUntilRefused(storage, 'a')).toBe(6);
  });

  it.each([1, 2, 3, 7, 59, 61, 6_000, 99_991])('of %i is exact despite rounding', (limit) => {
    vi.advanceTimersByTime(123_457);
    expect(countUntilRefused(new MemoryRateLimitStorage(), 'a', { limit, ttl: MINUTE })).toBe(limit);
  });

  it('accepts at most twice the limit in a window, and does not count refused requests', () => {
    const storage = new MemoryRateLimitStorage();
    let spent = 0;
    for (let second = 0; second < 60; second += 1) {
      for (let index = 0; index < 100; index += 1) if (!storage.consume('a', RATE).refused) spent += 1;
      vi.advanceTimersByTime(1_000);
    }
    expect(spent).toBe(11);
  });

  it('returns how long to wait', () => {
    const storage = new MemoryRateLimitStorage();
    countUntilRefused(storage, 'a');
    vi.advanceTimersByTime(3_000);
    const { refused, backlog } = storage.consume('a', RATE);
    expect(refused).toBe(true);
    expect(retryDelay(backlog, RATE)).toBeCloseTo(7_000);
  });

  it('is separate for each caller', () => {
    const storage = new MemoryRateLimitStorage();
    countUntilRefused(storage, 'a');
    expect(countUntilRefused(storage, 'b')).toBe(6);
  });

  it('can be overdrawn by the cost of one request, and is only read by a cost of 0', () => {
    const storage = new MemoryRateLimitStorage();
    for (let index = 0; index < 5; index += 1) storage.consume('a', RATE);
    expect(storage.consume('a', RATE, 0)).toMatchObject({ refused: false });
    expect(storage.consume('a', RATE, 6)).toMatchObject({ refused: false });
    expect(storage.consume('a', RATE, 0)).toMatchObject({ refused: true });
    vi.advanceTimersByTime(MINUTE - 1);
    expect(storage.consume('a', RATE)).toMatchObject({ refused: true });
    vi.advanceTimersByTime(1);
    expect(storage.consume('a', RATE)).toMatchObject({ refused: false });
  });

  it('is stored for a bounded number of callers, however many addresses an attacker has', () => {
    const storage = new MemoryRateLimitStorage(1_000);
    for (let index = 0; index < 50_000; index += 1) storage.consume(`flood-${index}`, RATE);
    expect(storage.size).toBe(1_000);
    expect(countUntilRefused(storage, 'flood-49999')).toBe(5);
  });

  it('evicts the least recent callers', () => {
    const storage = new MemoryRateLimitStorage(10);
    countUntilRefused(storage, 'steady');
    for (let index = 0; index < 100; index += 1) {
      storage.consume(`other-${index}`, RATE);
      expect(storage.consume('steady', RATE).refused).toBe(true);
    }
  });

  it('does not depend on the wall clock', () => {
    const storage = new MemoryRateLimitStorage();
    countUntilRefused(storage, 'a');
    vi.setSystemTime(Date.now() + 100 * MINUTE);
    expect(countUntilRefused(storage, 'a')).toBe(0);
  });
});
