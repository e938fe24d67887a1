import { DatabaseUnavailableError } from '../domain/database.errors.js';

/** Loads rows by id; omits rows that do not exist. */
type LoadMany<T> = (ids: readonly string[]) => Promise<ReadonlyMap<string, T>>;

/** Limits of a loader's use of the database. */
export interface BatchBounds {
  /** Concurrent queries. */
  readonly queries: number;
  /** Ids per query. */
  readonly size: number;
  /** Ids waiting for a query; further ones are refused. */
  readonly waiting: number;
}

interface Waiting<T> {
  readonly id: string;
  readonly resolve: (row: T | null) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Loads rows by id: those that are requested in one turn of the event loop, or while its queries run, by one query. However
 * many ids are requested, the loader uses a bounded share of the connections.
 */
export class BatchLoader<T> {
  private waiting: Waiting<T>[] = [];
  private running = 0;
  private isScheduled = false;

  constructor(
    private readonly loadMany: LoadMany<T>,
    private readonly bounds: BatchBounds,
  ) {}

  /**
   * @returns null for a row that does not exist.
   * @throws DatabaseUnavailableError (503) if too many are waiting; errors of the query.
   */
  load(id: string): Promise<T | null> {
    if (this.waiting.length >= this.bounds.waiting) return Promise.reject(new DatabaseUnavailableError());
    return new Promise((resolve, reject) => {
      this.waiting.push({ id, resolve, reject });
      if (this.isScheduled) return;
      this.isScheduled = true;
      setImmediate(() => {
        this.isScheduled = false;
        this.startNext();
      });
    });
  }

  private startNext(): void {
    while (this.running < this.bounds.queries && this.waiting.length > 0) this.start();
  }

  private start(): void {
    this.running += 1;
    const batch = this.waiting.splice(0, this.bounds.size);
    void this.run(batch).finally(() => {
      this.running -= 1;
      this.startNext();
    });
  }

  private async run(batch: readonly Waiting<T>[]): Promise<void> {
    try {
      const rows = await this.loadMany(batch.map(({ id }) => id));
      for (const { id, resolve } of batch) resolve(rows.get(id) ?? null);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
