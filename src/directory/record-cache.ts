import { LRUCache } from 'lru-cache';

/** Milliseconds that an entry may be served without being asked for again. */
export interface Lifetimes {
  readonly found: number;
  readonly missing: number;
}

/** `lru-cache` holds no null: what the database does not have is remembered as this. */
const MISSING = Symbol('missing');

/**
 * A bounded cache of rows, those that do not exist among them. Concurrent misses of one key share one load, and
 * what a load read before an invalidation is handed to those who waited but never kept.
 */
export class RecordCache<T extends object> {
  private readonly entries: LRUCache<string, T | typeof MISSING>;
  private readonly loading = new Map<string, Promise<T | null>>();

  constructor(
    max: number,
    private readonly lifetimes: () => Lifetimes,
  ) {
    this.entries = new LRUCache({ max });
  }

  /** @returns null when there is no such row. @throws what `load` throws, and then keeps nothing. */
  async get(key: string, load: () => Promise<T | null>): Promise<T | null> {
    const entry = this.entries.get(key);
    if (entry !== undefined) return entry === MISSING ? null : entry;
    const underWay = this.loading.get(key);
    if (underWay !== undefined) return underWay;

    const loading = load().then(
      (row) => {
        // An invalidation meanwhile has taken this load out of the map: its row may be the old one.
        if (this.loading.get(key) === loading) {
          this.loading.delete(key);
          const { found, missing } = this.lifetimes();
          this.entries.set(key, row ?? MISSING, { ttl: row === null ? missing : found });
        }
        return row;
      },
      (error: unknown) => {
        if (this.loading.get(key) === loading) this.loading.delete(key);
        throw error;
      },
    );
    this.loading.set(key, loading);
    return loading;
  }

  invalidate(key: string): void {
    this.entries.delete(key);
    this.loading.delete(key);
  }

  clear(): void {
    this.entries.clear();
    this.loading.clear();
  }
}
