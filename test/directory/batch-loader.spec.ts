import { describe, expect, it } from 'vitest';
import { DatabaseUnavailableError } from '../../src/domain/database.errors.js';
import { BatchLoader } from '../../src/directory/batch-loader.js';

interface Query {
  readonly ids: readonly string[];
  readonly respond: (rows?: Readonly<Record<string, string>>) => void;
  readonly fail: (error: Error) => void;
}

const BOUNDS = { queries: 2, size: 3, waiting: 5 };

/** A loader whose queries the test completes. */
function startLoader(): { readonly loader: BatchLoader<string>; readonly queries: Query[] } {
  const queries: Query[] = [];
  const loader = new BatchLoader<string>(
    (ids) =>
      new Promise((resolve, reject) => {
        const respond: Query['respond'] = (rows = {}) => {
          resolve(new Map(Object.entries(rows)));
        };
        queries.push({ ids, respond, fail: reject });
      }),
    BOUNDS,
  );
  return { loader, queries };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a batch loader', () => {
  it('collects the ids of a turn, and those that come while its queries run', async () => {
    const { loader, queries } = startLoader();
    const idsOf = (): (readonly string[])[] => queries.map(({ ids }) => ids);
    const loads = ['a', 'b'].map((id) => loader.load(id));
    expect(queries).toStrictEqual([]);
    await settle();
    loads.push(loader.load('c'));
    await settle();
    loads.push(...['d', 'e', 'f', 'g'].map((id) => loader.load(id)));
    await settle();
    expect(idsOf()).toStrictEqual([['a', 'b'], ['c']]);
    queries[0]?.respond({ a: 'row a' });
    await settle();
    expect(idsOf()).toStrictEqual([['a', 'b'], ['c'], ['d', 'e', 'f']]);
    queries[1]?.respond();
    await settle();
    expect(queries[3]?.ids).toStrictEqual(['g']);
    queries[2]?.respond({ f: 'row f', d: 'row d' });
    queries[3]?.respond({ x: 'row x' });
    expect(await Promise.all(loads)).toStrictEqual(['row a', null, null, 'row d', null, 'row f', null]);
  });

  it('refuses ids beyond its bound at once', async () => {
    const { loader, queries } = startLoader();
    const loads = Array.from({ length: BOUNDS.waiting }, (_, index) => loader.load(String(index)));
    await expect(loader.load('more')).rejects.toThrow(DatabaseUnavailableError);
    await settle();
    expect(queries.map(({ ids }) => ids)).toStrictEqual([
      ['0', '1', '2'],
      ['3', '4'],
    ]);
    const later = loader.load('later');
    for (const { respond } of queries) respond();
    await settle();
    queries[2]?.respond({ later: 'row' });
    expect(await later).toBe('row');
    expect(await Promise.all(loads)).toStrictEqual(loads.map(() => null));
  });

  it('fails all loads of a query that fails, and no others', async () => {
    const { loader, queries } = startLoader();
    const loads = ['a', 'b', 'c', 'd'].map((id) => loader.load(id));
    await settle();
    queries[0]?.fail(new Error('lost'));
    queries[1]?.respond({ d: 'row d' });
    expect(await Promise.allSettled(loads)).toMatchObject([
      { status: 'rejected', reason: { message: 'lost' } },
      { status: 'rejected', reason: { message: 'lost' } },
      { status: 'rejected', reason: { message: 'lost' } },
      { status: 'fulfilled', value: 'row d' },
    ]);
    const next = loader.load('e');
    await settle();
    queries[2]?.respond({ e: 'row e' });
    expect(await next).toBe('row e');
  });
});
