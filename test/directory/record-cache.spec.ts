import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type CachedRow, RecordCache, type FeedSession } from '../../src/directory/record-cache.js';

interface Row {
  readonly version: number;
}

/** A load that the test completes. */
function controlled(): {
  load: () => Promise<Row | null>;
  answer: (row: Row | null) => void;
  fail: () => void;
} {
  const { promise, resolve, reject } = withResolvers<Row | null>();
  return {
    load: () => promise,
    answer: resolve,
    fail: () => {
      reject(new Error('gone'));
    },
  };
}

function withResolvers<T>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: Error) => void;
} {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

let session: FeedSession | null;
let down: boolean;
let loads: number;
let cache: RecordCache<Row>;
const gone = (): Promise<never> => Promise.reject(new Error('gone'));
/** Loads a row that contains the number of loads. */
const load = (): Promise<Row> => Promise.resolve({ version: ++loads });
/** A row from the cache, else loaded: no row has the value `undefined`. */
async function get(key = 'a', loader: () => Promise<Row | null> = load): Promise<Row | null> {
  const cached = cache.find(key);
  return cached === undefined ? cache.load(key, loader) : cached.row;
}
const peek = (key: string): Row | null | undefined => cache.find(key)?.row;

function startSession(): void {
  session = { connected: true, receivedAt: performance.now() };
}
function endSession(): void {
  if (session !== null) session.connected = false;
  session = null;
}

beforeEach(() => {
  vi.useFakeTimers();
  down = false;
  loads = 0;
  startSession();
  cache = new RecordCache<Row>(3, {
    connected: { found: 60_000, missing: 5_000 },
    disconnected: { found: 1_000, missing: 1_000 },
    stale: 300_000,
    session: () => session,
    isDown: () => down,
  });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a cache of rows', () => {
  it('releases the row of an entry that was changed, replaced or evicted', async () => {
    const hold = async (key: string): Promise<unknown> => {
      await get(key);
      return cache.find(key);
    };
    const changed = await hold('changed');
    cache.invalidate('changed');
    const replaced = await hold('replaced');
    vi.advanceTimersByTime(60_000);
    await get('replaced');
    const crowded = await hold('crowded');
    for (const key of ['a', 'b', 'c']) await get(key);
    for (const entry of [changed, replaced, crowded])
      expect(entry).toMatchObject({ evicted: true, row: null });
    expect(cache.find('c')).toMatchObject({ isFresh: true, row: { version: loads } });
  });

  it.each([
    ['a row, for its lifetime', { version: 1 }, 60_000],
    ['an absence, for a shorter one', null, 5_000],
  ])('keeps %s', async (_, row, lifetime) => {
    const asked = vi.fn(() => Promise.resolve(row));
    expect(await get('a', asked)).toBe(row);
    vi.advanceTimersByTime(lifetime - 1);
    expect(await get('a', asked)).toBe(row);
    expect(peek('a')).toBe(row);
    expect(asked).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(1);
    expect(peek('a')).toBeUndefined();
    await get('a', asked);
    expect(asked).toHaveBeenCalledTimes(2);
  });

  it('lets misses of one key share one load, but not misses of two keys', async () => {
    const answers = await Promise.all([get('a'), get('a'), get('b'), get('a')]);
    expect(answers.map((row) => row?.version)).toStrictEqual([1, 1, 2, 1]);
  });

  it('removes the rows that a change concerns, and caches no load that is under way', async () => {
    await get('a');
    await get('b');
    const { load, answer } = controlled();
    const loading = cache.load('c', load);
    cache.invalidateWhere(({ version }) => version === 1);
    answer({ version: 9 });
    expect(await loading).toStrictEqual({ version: 9 });
    expect(kept()).toBe('b');
    cache.clear();
    expect(kept()).toBe('');
  });

  const kept = (): string => ['a', 'b', 'c', 'd'].filter((key) => peek(key) !== undefined).join('');

  it.each<[by: string, use: (cached: CachedRow<Row>) => unknown]>([
    ['found', () => peek('a')],
    ['checked', (cached) => cached.isFresh],
  ])('evicts no row before rows that were used %s earlier, to a second', async (_, use) => {
    await get('a');
    const cached = cache.find('a');
    for (const key of ['b', 'c']) await get(key);
    vi.advanceTimersByTime(1_000);
    if (cached !== undefined) use(cached);
    await get('d');
    expect(kept()).toBe('acd');
  });

  it('treats uses within a second of each other as one', async () => {
    for (const key of ['a', 'b', 'c']) await get(key);
    vi.advanceTimersByTime(999);
    await get('a');
    await get('d');
    expect(kept()).toBe('bcd');
  });

  it('weighs rows by the given function', async () => {
    const weighed = new RecordCache<Row>(
      10,
      {
        connected: { found: 60_000, missing: 60_000 },
        disconnected: { found: 0, missing: 0 },
        stale: 0,
        session: () => session,
        isDown: () => false,
      },
      ({ version }) => version,
    );
    for (const version of [6, 3, 4]) await weighed.load(String(version), () => Promise.resolve({ version }));
    expect([6, 3, 4].map((version) => weighed.find(String(version)) !== undefined)).toStrictEqual([
      false, true, true,
    ]); // prettier-ignore
  });

  it('never caches what was read before an invalidation, but returns it to waiting callers', async () => {
    const { load: slow, answer } = controlled();
    const waiting = get('a', slow);
    cache.invalidate('a');
    const after = get();
    answer({ version: -1 });
    expect(await waiting).toStrictEqual({ version: -1 });
    expect(await after).toStrictEqual({ version: 1 });
    expect(await get()).toStrictEqual({ version: 1 });
  });

  it('nor if the newer load completes first', async () => {
    const { load: slow, answer } = controlled();
    const waiting = get('a', slow);
    cache.invalidate('a');
    expect(await get()).toStrictEqual({ version: 1 });
    answer({ version: -1 });
    await waiting;
    expect(await get()).toStrictEqual({ version: 1 });
  });

  it('caches nothing of a load that failed, and retries', async () => {
    await expect(get('a', gone)).rejects.toThrow('gone');
    expect(await get()).toStrictEqual({ version: 1 });
  });
});

describe('without the change feed', () => {
  it('a row lives a second from its request', async () => {
    endSession();
    const { load: slow, answer } = controlled();
    const waiting = get('a', slow);
    vi.advanceTimersByTime(400);
    answer({ version: 0 });
    await waiting;
    vi.advanceTimersByTime(599);
    expect(await get()).toStrictEqual({ version: 0 });
    vi.advanceTimersByTime(1);
    expect(await get()).toStrictEqual({ version: 1 });
  });

  it('an older row is served for a second after all changes were last received', async () => {
    await get();
    vi.advanceTimersByTime(30_000);
    if (session !== null) session.receivedAt = performance.now();
    vi.advanceTimersByTime(400);
    endSession();
    vi.advanceTimersByTime(599);
    expect(await get()).toStrictEqual({ version: 1 });
    vi.advanceTimersByTime(1);
    expect(await get()).toStrictEqual({ version: 2 });
  });

  it('an older row is reloaded once the feed is connected again: changes may have been missed', async () => {
    await get();
    vi.advanceTimersByTime(2_000);
    endSession();
    startSession();
    expect(await get()).toStrictEqual({ version: 2 });
    vi.advanceTimersByTime(59_999);
    expect(await get()).toStrictEqual({ version: 2 });
  });

  it('a row whose load was interrupted by the disconnection does not belong to the next session', async () => {
    const { load: slow, answer } = controlled();
    const waiting = get('a', slow);
    endSession();
    startSession();
    answer({ version: 0 });
    await waiting;
    vi.advanceTimersByTime(1_000);
    expect(await get()).toStrictEqual({ version: 1 });
  });
});

describe('without the database', () => {
  it('a row is served up to the bound after it was last known to be true', async () => {
    await get();
    vi.advanceTimersByTime(10_000);
    if (session !== null) session.receivedAt = performance.now();
    endSession();
    vi.advanceTimersByTime(299_999);
    expect(await get('a', gone)).toStrictEqual({ version: 1 });
    vi.advanceTimersByTime(1);
    await expect(get('a', gone)).rejects.toThrow('gone');
  });

  it('a row is requested, so that a database that responds is used', async () => {
    await get();
    endSession();
    vi.advanceTimersByTime(100_000);
    expect(await get()).toStrictEqual({ version: 2 });
  });

  it('no caller waits while it is known to be down', async () => {
    await get();
    endSession();
    vi.advanceTimersByTime(100_000);
    down = true;
    expect(peek('a')).toStrictEqual({ version: 1 });
    expect(await get('a', gone)).toStrictEqual({ version: 1 });
    vi.advanceTimersByTime(200_000);
    expect(peek('a')).toBeUndefined();
  });

  it('an absence is never served stale: no 404 because of a fault', async () => {
    await get('a', () => Promise.resolve(null));
    endSession();
    down = true;
    vi.advanceTimersByTime(1_000);
    await expect(get('a', gone)).rejects.toThrow('gone');
  });

  it('a row that is known to be changed is never served stale', async () => {
    await get();
    endSession();
    down = true;
    cache.invalidate('a');
    await expect(get('a', gone)).rejects.toThrow('gone');
  });

  it('a row that is changed while its refresh fails is not served either', async () => {
    await get();
    endSession();
    vi.advanceTimersByTime(2_000);
    const { load: slow, fail } = controlled();
    const waiting = get('a', slow);
    cache.invalidate('a');
    fail();
    await expect(waiting).rejects.toThrow('gone');
  });
});
