import { LRUCache } from 'lru-cache';

/** Milliseconds for which an entry is fresh. */
export interface Lifetimes {
  readonly found: number;
  readonly missing: number;
}

/** A period in which every change was received: from one `LISTEN` to the loss of its connection. */
export interface FeedSession {
  live: boolean;
  /** When all earlier changes were last known to be received; by the clock of the cache. */
  receivedAt: number;
}

/** What a cache goes by: shared by all caches of a process. */
export interface CacheRules {
  /** The upper bound beside a live change feed. */
  readonly live: Lifetimes;
  /** What stands in for the feed while it is lost. */
  readonly lost: Lifetimes;
  /** Milliseconds for which a row is served after it was last known to be true, when the database does not respond. */
  readonly stale: number;
  /** The current session, null while the feed is lost. */
  readonly session: () => FeedSession | null;
  /** True while the database is known not to respond: then no request with an old row waits for it. */
  readonly isDown: () => boolean;
}

/** A row in memory, or that it does not exist. */
export interface CachedFact<T> {
  readonly row: T | null;
  /** Whether it may still be served as it is (RFC 9111 §4.2). False once it was evicted or invalidated. */
  readonly isFresh: boolean;
}

/** Milliseconds for which an entry that was used is not moved to the front again: moving costs more than looking up. */
const RECENT = 1_000;

/** What is cached of a row. */
class Entry<T extends object> implements CachedFact<T> {
  /** True once it was invalidated, reloaded or evicted. */
  evicted = false;
  /** When it was last moved to the front, so that it is evicted after the others. */
  usedAt = performance.now();

  constructor(
    private readonly cache: RecordCache<T>,
    readonly key: string,
    /** Null for a row that does not exist, and once it is evicted. */
    public row: T | null,
    /** The row was true at that instant or later. */
    readonly loadStartedAt: number,
    /** The session in which its load started: changes since then were received for as long as it was live. */
    readonly session: FeedSession | null,
  ) {}

  get isFresh(): boolean {
    return !this.evicted && this.cache.canServe(this);
  }
}

/**
 * A bounded cache of rows, missing ones included. Concurrent misses of one key share one load, and
 * what a load read before an invalidation is returned to those who waited but never cached. An expired row is
 * loaded again, and served on, up to a bound, only where the load fails: one that is known to be changed never is, and
 * neither is a missing one.
 */
export class RecordCache<T extends object> {
  private readonly entries: LRUCache<string, Entry<T>>;
  private readonly loading = new Map<string, Promise<T | null>>();
  /** Look-ups that were served from here, had to be loaded, or got an old row because the load failed. */
  readonly counts = { hit: 0, miss: 0, stale: 0 };

  /** @param weigh What a row weighs against `max`, at least 1; every row is 1 where absent. */
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

  /** What may be served as it is; undefined where `load` must be called. */
  find(key: string): CachedFact<T> | undefined {
    const entry = this.entries.peek(key);
    return entry !== undefined && this.canServe(entry) ? entry : undefined;
  }

  /**
   * Loads a row and caches it.
   * @returns null where no such row exists.
   * @throws what `load` throws, unless an old row may still be served.
   */
  async load(key: string, load: () => Promise<T | null>): Promise<T | null> {
    const entry = this.entries.peek(key);
    try {
      return await this.loadOnce(key, load);
    } catch (error) {
      // Unless a change was received meanwhile, which has taken the entry out.
      if (entry === undefined || this.entries.peek(key) !== entry || !this.canServeStale(entry)) throw error;
      this.counts.stale += 1;
      return entry.row;
    }
  }

  /** Removes a row that was changed: whatever happens, the old one is not served again. */
  invalidate(key: string): void {
    this.entries.delete(key);
    this.loading.delete(key);
  }

  private loadOnce(key: string, load: () => Promise<T | null>): Promise<T | null> {
    this.counts.miss += 1;
    const pending = this.loading.get(key);
    if (pending !== undefined) return pending;

    const session = this.rules.session();
    const loadStartedAt = performance.now();
    const loading = load().then(
      (row) => {
        // An invalidation meanwhile has taken this load out of the map: its row may be the old one.
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

  /** Whether an entry of this cache may be served without a load; counts it as served. */
  canServe(entry: Entry<T>): boolean {
    const { live, lost } = this.rules;
    const isLive = entry.session?.live === true;
    const { found, missing } = isLive ? live : lost;
    const now = performance.now();
    const age = now - (isLive ? entry.loadStartedAt : lastKnownAt(entry));
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
