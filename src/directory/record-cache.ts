import { LRUCache } from 'lru-cache';

/** Milliseconds that an entry may be served without being asked for again. */
export interface Lifetimes {
  readonly found: number;
  readonly missing: number;
}

/** A span of time in which every change was told: from one `LISTEN` to the loss of its connection. */
export interface FeedSession {
  live: boolean;
  /** When the database was last sure to have told everything; by the clock of the cache. */
  heardAt: number;
}

/** What a cache goes by: shared by all caches of a process. */
export interface CacheRules {
  /** The net below a live change feed. */
  readonly live: Lifetimes;
  /** What stands in for the feed while it is lost. */
  readonly lost: Lifetimes;
  /** Milliseconds that a row is served after it was last known to be true, when the database does not answer. */
  readonly stale: number;
  /** The session that is on now, null while the feed is lost. */
  readonly session: () => FeedSession | null;
  /** True while the database is known not to answer: then nobody waits for it who has an old row. */
  readonly isDown: () => boolean;
}

/** Milliseconds for which an entry that was used need not be moved before the others: moving costs more than looking. */
const RECENT = 1_000;

/** What is kept of a row. Whoever holds one can ask whether it still counts, which is quicker than to look it up. */
export interface Entry<T> {
  readonly key: string;
  /** Null for a row that does not exist, and once it is gone. */
  row: T | null;
  /** When its load began: the row was true at that moment or later. */
  readonly askedAt: number;
  /** The session its load began in: changes since then were told for as long as it lasted. */
  readonly session: FeedSession | null;
  /** True once it was changed, asked for anew or crowded out. */
  gone: boolean;
  /** When it was last moved before the others, so that it is crowded out after them. */
  usedAt: number;
}

/**
 * A bounded cache of rows, those that do not exist among them. Concurrent misses of one key share one load, and
 * what a load read before an invalidation is handed to those who waited but never kept. A row whose time is up is
 * asked for again, and served on, up to a bound, only where no answer comes: one known to be changed never is, and
 * an absence never is either.
 */
export class RecordCache<T extends object> {
  private readonly entries: LRUCache<string, Entry<T>>;
  private readonly loading = new Map<string, Promise<T | null>>();
  /** Questions that were answered from here, had to be asked, or got an old row because no answer came. */
  readonly counts = { hit: 0, miss: 0, stale: 0 };

  /** @param weigh What a row counts against `max`, at least 1; every row is 1 where absent. */
  constructor(
    max: number,
    private readonly rules: CacheRules,
    weigh?: (row: T) => number,
  ) {
    const dispose = (entry: Entry<T>): void => {
      entry.gone = true;
      // Whoever still holds the entry holds no more than that.
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

  /** What is kept and needs no asking; undefined where `get` would load. Null when there is no such row. */
  peek(key: string): T | null | undefined {
    const entry = this.entries.peek(key);
    return entry !== undefined && this.isServed(entry) ? entry.row : undefined;
  }

  /** What is kept under this key, whether it may be served or not. */
  entry(key: string): Entry<T> | undefined {
    return this.entries.peek(key);
  }

  /** Whether an entry of this cache is what `peek` would give now. */
  isCurrent(entry: Entry<T>): boolean {
    return !entry.gone && this.isServed(entry);
  }

  /**
   * @returns null when there is no such row; no promise where nothing is asked for.
   * @throws what `load` throws, unless an old row may still be served.
   */
  get(key: string, load: () => Promise<T | null>): T | null | Promise<T | null> {
    const entry = this.entries.peek(key);
    if (entry === undefined) return this.load(key, load);
    return this.isServed(entry) ? entry.row : this.reload(key, entry, load);
  }

  /** Forgets a row that was changed: whatever happens, the old one is not served again. */
  invalidate(key: string): void {
    this.entries.delete(key);
    this.loading.delete(key);
  }

  private async reload(key: string, entry: Entry<T>, load: () => Promise<T | null>): Promise<T | null> {
    try {
      return await this.load(key, load);
    } catch (error) {
      // Unless a change was told meanwhile, which has taken the entry away.
      if (this.entries.peek(key) !== entry || !this.mayOutlive(entry)) throw error;
      this.counts.stale += 1;
      return entry.row;
    }
  }

  private load(key: string, load: () => Promise<T | null>): Promise<T | null> {
    this.counts.miss += 1;
    const underWay = this.loading.get(key);
    if (underWay !== undefined) return underWay;

    const session = this.rules.session();
    const askedAt = performance.now();
    const loading = load().then(
      (row) => {
        // An invalidation meanwhile has taken this load out of the map: its row may be the old one.
        if (this.loading.get(key) === loading) {
          this.loading.delete(key);
          this.entries.set(key, { key, row, askedAt, session, gone: false, usedAt: performance.now() });
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

  private isServed(entry: Entry<T>): boolean {
    const { live, lost } = this.rules;
    const told = entry.session?.live === true;
    const { found, missing } = told ? live : lost;
    const now = performance.now();
    const age = now - (told ? entry.askedAt : knownAt(entry));
    if (age < (entry.row === null ? missing : found)) this.counts.hit += 1;
    else if (this.rules.isDown() && this.mayOutlive(entry)) this.counts.stale += 1;
    else return false;
    if (now - entry.usedAt >= RECENT) {
      entry.usedAt = now;
      this.entries.get(entry.key);
    }
    return true;
  }

  private mayOutlive(entry: Entry<T>): boolean {
    return entry.row !== null && performance.now() - knownAt(entry) < this.rules.stale;
  }
}

/** When an entry was last known to be true. */
function knownAt({ askedAt, session }: Entry<unknown>): number {
  return Math.max(askedAt, session?.heardAt ?? 0);
}
