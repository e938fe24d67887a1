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
  it('starts a query at once, and collects ids while its queries run', async () => {
    const { loader, queries } = startLoader();
    const loads = ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => loader.load(id));
    expect(queries.map(({ ids }) => ids)).toStrictEqual([['a'], ['b']]);
    queries[0]?.respond({ a: 'row a' });
    await settle();
    expect(queries.map(({ ids }) => ids)).toStrictEqual([['a'], ['b'], ['c', 'd', 'e']]);
    queries[1]?.respond();
    await settle();
    expect(queries[3]?.ids).toStrictEqual(['f']);
    queries[2]?.respond({ e: 'row e', c: 'row c' });
    queries[3]?.respond({ x: 'row x' });
    expect(await Promise.all(loads)).toStrictEqual(['row a', null, 'row c', null, 'row e', null]);
  });

  it('refuses ids beyond its bound at once', async () => {
    const { loader, queries } = startLoader();
    const running = BOUNDS.queries + BOUNDS.waiting;
    const loads = Array.from({ length: running }, (_, index) => loader.load(String(index)));
    await expect(loader.load('more')).rejects.toThrow(DatabaseUnavailableError);
    expect(queries).toHaveLength(2);
    queries[0]?.respond();
    await settle();
    const later = loader.load('later');
    for (let index = 1; index < 5; index += 1) {
      queries[index]?.respond({ later: 'row' });
      await settle();
    }
    expect(await later).toBe('row');
    expect(await Promise.all(loads)).toStrictEqual(loads.map(() => null));
  });

  it('fails all loads of a query that fails, and no others', async () => {
    const { loader, queries } = startLoader();
    const loads = ['a', 'b', 'c', 'd'].map((id) => loader.load(id));
    queries[0]?.respond();
    await settle();
    queries[2]?.fail(new Error('lost'));
    queries[1]?.respond({ b: 'row b' });
    expect(await Promise.allSettled(loads)).toMatchObject([
      { status: 'fulfilled', value: null },
      { status: 'fulfilled', value: 'row b' },
      { status: 'rejected', reason: { message: 'lost' } },
      { status: 'rejected', reason: { message: 'lost' } },
    ]);
    const next = loader.load('e');
    queries[3]?.respond({ e: 'row e' });
    expect(await next).toBe('row e');
  });
});
