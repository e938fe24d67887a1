import { LRUCache } from 'lru-cache';

/** Milliseconds for which an entry is fresh. */
export interface Lifetimes {
  readonly found: number;
  readonly missing: number;
}

/** A period in which every change was received: from a `LISTEN` until its connection is lost. */
export interface FeedSession {
  connected: boolean;
  /** When all earlier changes were last known to be received, by the cache's clock. */
  receivedAt: number;
}

/** Rules shared by all caches of a process. */
export interface CacheRules {
  /** The upper bound while the change feed is connected. */
  readonly connected: Lifetimes;
  /** Lifetimes while the feed is disconnected. */
  readonly disconnected: Lifetimes;
  /** Milliseconds for which a row is served after it was last known to be true, while the database does not respond. */
  readonly stale: number;
  /** The current session; null while the feed is disconnected. */
  readonly session: () => FeedSession | null;
  /** True while the database is known not to respond: requests with a stale row then do not wait for it. */
  readonly isDown: () => boolean;
}

/** A row in memory, or null if it does not exist. */
export interface CachedRow<T> {
  readonly row: T | null;
  /** Whether it may still be served (RFC 9111 §4.2). False once evicted or invalidated. */
  readonly isFresh: boolean;
}

/** Milliseconds for which a used entry is not moved to the front again: moving costs more than a look-up. */
const RECENT = 1_000;

/** What is cached of a row. */
class Entry<T extends object> implements CachedRow<T> {
  /** True once invalidated, reloaded or evicted. */
  evicted = false;
  /** When it was last moved to the front of the eviction order. */
  usedAt = performance.now();

  constructor(
    private readonly cache: RecordCache<T>,
    readonly key: string,
    /** Null for a row that does not exist, and after eviction. */
    public row: T | null,
    /** The row was true at this instant or later. */
    readonly loadStartedAt: number,
    /** The session in which its load started: later changes were received while it was connected. */
    readonly session: FeedSession | null,
  ) {}

  get isFresh(): boolean {
    return !this.evicted && this.cache.canServe(this);
  }
}

/**
 * A bounded cache of rows, including absent ones. Concurrent misses of a key share one load. A row that was read before
 * an invalidation is returned to the waiting callers but never cached. An expired row is reloaded; if that fails, it is
 * served up to a bound, unless it is absent or known to be changed.
 */
export class RecordCache<T extends object> {
  private readonly entries: LRUCache<string, Entry<T>>;
  private readonly loading = new Map<string, Promise<T | null>>();
  /** Look-ups served from the cache, loaded, or served stale because the load failed. */
  readonly counts = { hit: 0, miss: 0, stale: 0 };

  /** @param weigh A row's weight towards `max`, at least 1 (default: 1). */
  constructor(
    max: number,
    private readonly rules: CacheRules,
    weigh?: (row: T) => number,
  ) {
    const dispose = (entry: Entry<T>): void => {
      entry.evicted = true;
      // A cached redirect may keep the entry: it must not keep the row in memory.
      entry.row = null;
    };
    this.entries = new LRUCache(
      weigh === undefined
        ? { max, dispose }
        : { maxSize: max, dispose, sizeCalculation: ({ row }) => (row === null ? 1 : weigh(row)) },
    );
  }

  get entryCount(): number {
    return this.entries.size;
  }

  /** A row that may be served; undefined if `load` must be called. */
  find(key: string): CachedRow<T> | undefined {
    const entry = this.entries.peek(key);
    return entry !== undefined && this.canServe(entry) ? entry : undefined;
  }

  /**
   * Loads a row and caches it.
   * @returns null if the row does not exist.
   * @throws what `load` throws, unless a stale row may be served.
   */
  async load(key: string, load: () => Promise<T | null>): Promise<T | null> {
    const entry = this.entries.peek(key);
    try {
      return await this.loadOnce(key, load);
    } catch (error) {
      // A change that was received in the meantime has removed the entry.
      if (entry === undefined || this.entries.peek(key) !== entry || !this.canServeStale(entry)) throw error;
      this.counts.stale += 1;
      return entry.row;
    }
  }

  /** Removes a changed row: the old one is never served again. */
  invalidate(key: string): void {
    this.entries.delete(key);
    this.loading.delete(key);
  }

  /** Removes the rows that a change concerns. No load that is under way is cached, since it may be concerned. */
  invalidateWhere(isConcerned: (row: T) => boolean): void {
    for (const [key, { row }] of [...this.entries]) {
      if (row !== null && isConcerned(row)) this.entries.delete(key);
    }
    this.loading.clear();
  }

  /** Removes all rows. */
  clear(): void {
    this.entries.clear();
    this.loading.clear();
  }

  private loadOnce(key: string, load: () => Promise<T | null>): Promise<T | null> {
    this.counts.miss += 1;
    const pending = this.loading.get(key);
    if (pending !== undefined) return pending;

    const session = this.rules.session();
    const loadStartedAt = performance.now();
    const loading = load().then(
      (row) => {
        // An invalidation in the meantime has removed this load from the map: its row may be stale.
        if (this.loading.get(key) === loading) {
          this.loading.delete(key);
          this.entries.set(key, new Entry(this, key, row, loadStartedAt, session));
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

  /** Whether an entry of this cache may be served without a load; counts it as a hit. */
  canServe(entry: Entry<T>): boolean {
    const { connected, disconnected } = this.rules;
    const isConnected = entry.session?.connected === true;
    const { found, missing } = isConnected ? connected : disconnected;
    const now = performance.now();
    const age = now - (isConnected ? entry.loadStartedAt : lastKnownAt(entry));
    if (age < (entry.row === null ? missing : found)) this.counts.hit += 1;
    else if (this.rules.isDown() && this.canServeStale(entry)) this.counts.stale += 1;
    else return false;
    if (now - entry.usedAt >= RECENT) {
      entry.usedAt = now;
      this.entries.get(entry.key);
    }
    return true;
  }

  /** RFC 5861 §4: stale-if-error. */
  private canServeStale(entry: Entry<T>): boolean {
    return entry.row !== null && performance.now() - lastKnownAt(entry) < this.rules.stale;
  }
}

/** When an entry was last known to be true. */
function lastKnownAt({ loadStartedAt, session }: Pick<Entry<object>, 'loadStartedAt' | 'session'>): number {
  return Math.max(loadStartedAt, session?.receivedAt ?? 0);
}
