import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { withDeadline } from '../../src/platform/deadline.js';

const late = (): never => {
  throw new Error('too late');
};
const never = new Promise<string>(() => undefined);

describe('work with a deadline', () => {
  it('returns its result, or throws its error, within the deadline', async () => {
    expect(await withDeadline(wait(1, 'done'), 60_000, late)).toBe('done');
    await expect(withDeadline(Promise.reject(new Error('failed')), 60_000, late)).rejects.toThrow('failed');
  });

  it('returns the result of the expiry, or throws its error, after the deadline', async () => {
    expect(await withDeadline(never, 1, () => 'given up')).toBe('given up');
    await expect(withDeadline(never, 1, late)).rejects.toThrow('too late');
  });

  it('fails silently after the deadline', async () => {
    const work = wait(20).then(() => Promise.reject(new Error('after all')));
    expect(await withDeadline<unknown>(work, 1, () => 'given up')).toBe('given up');
    await expect(work).rejects.toThrow('after all');
  });

  it('is in time if its result arrived while the event loop was blocked', async () => {
    const expire = vi.fn(late);
    const work = withDeadline(
      new Promise<string>((resolve) =>
        setTimeout(() => {
          setImmediate(resolve, 'read late');
        }, 5),
      ),
      10,
      expire,
    );
    const until = performance.now() + 50;
    while (performance.now() < until);
    expect(await work).toBe('read late');
    await wait(20);
    expect(expire).not.toHaveBeenCalled();
  });
});
