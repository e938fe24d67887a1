import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { PeriodicWriter } from '../platform/periodic-writer.js';

/** Days that the counts of an hour are stored. */
export const USAGE_DAYS = 90;
export const HOUR = 3_600_000;
/** Hours whose counts wait for an unavailable database; older ones are dropped. */
const MAX_WAITING_HOURS = 24;

interface Counts {
  redirects: number;
  refusals: number;
}

/** Counts of an hour, by issuer: at most as many as exist. */
type Batch = Map<string, Counts>;

/** Counts redirects and refusals by issuer and hour, and writes them periodically: never during a redirect. */
@Injectable()
export class IssuerUsage extends PeriodicWriter {
  private readonly logger = new Logger(IssuerUsage.name);
  private counted: Batch = new Map();
  /** When `counted` was started, in milliseconds since 1970. All of it belongs to that hour. */
  private startedAt = Date.now();
  /** Batches that are not written yet, by the start of their hour. */
  private readonly waiting = new Map<number, Batch>();
  private prunedAt = 0;

  constructor(private readonly dataSource: DataSource) {
    super();
  }

  /** Counts a redirect. Does no I/O. */
  countRedirect(issuerId: string): void {
    this.countsOf(issuerId).redirects += 1;
  }

  /** Counts a refusal of a token that names the issuer, or of its public image. Does no I/O. */
  countRefusal(issuerId: string): void {
    this.countsOf(issuerId).refusals += 1;
  }

  async flush(): Promise<void> {
    this.closeBatch();
    for (const [hour, batch] of [...this.waiting]) {
      this.waiting.delete(hour);
      try {
        await this.write(hour, batch);
      } catch (error) {
        this.logger.warn(
          `Could not write the usage of issuers: ${error instanceof Error ? error.message : 'no reason'}`,
        );
        this.wait(hour, batch);
        return;
      }
    }
    await this.prune();
  }

  private countsOf(issuerId: string): Counts {
    let counts = this.counted.get(issuerId);
    if (counts === undefined) {
      counts = { redirects: 0, refusals: 0 };
      this.counted.set(issuerId, counts);
    }
    return counts;
  }

  /** Its counts belong to the hour in which it was started: a batch may reach a few seconds into the next one. */
  private closeBatch(): void {
    const { counted, startedAt } = this;
    this.startedAt = Date.now();
    if (counted.size === 0) return;
    this.counted = new Map();
    this.wait(startedAt - (startedAt % HOUR), counted);
  }

  private wait(hour: number, batch: Batch): void {
    const known = this.waiting.get(hour);
    if (known === undefined) this.waiting.set(hour, batch);
    else {
      for (const [issuerId, { redirects, refusals }] of batch) {
        const counts = known.get(issuerId);
        if (counts === undefined) known.set(issuerId, { redirects, refusals });
        else {
          counts.redirects += redirects;
          counts.refusals += refusals;
        }
      }
    }
    const oldest = Math.min(...this.waiting.keys());
    if (this.waiting.size > MAX_WAITING_HOURS) this.waiting.delete(oldest);
  }

  private async write(hour: number, batch: Batch): Promise<void> {
    const rows = [...batch];
    // Ordered by issuer, so that replicas cannot deadlock. An issuer that was deleted in the meantime has no row.
    await this.dataSource.query(
      `INSERT INTO issuer_usage AS known (issuer_id, hour, redirects, refusals)
       SELECT issuer.id, to_timestamp($4::bigint / 1000.0), counted.redirects, counted.refusals
         FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS counted (id, redirects, refusals)
         JOIN issuers AS issuer ON issuer.id = counted.id
        ORDER BY issuer.id
       ON CONFLICT (issuer_id, hour) DO UPDATE SET
         redirects = known.redirects + excluded.redirects, refusals = known.refusals + excluded.refusals`,
      [
        rows.map(([id]) => id),
        rows.map(([, { redirects }]) => redirects),
        rows.map(([, { refusals }]) => refusals),
        hour,
      ],
    );
  }

  /** Deletes old counts, at most once an hour. */
  private async prune(): Promise<void> {
    const now = Date.now();
    if (now - this.prunedAt < HOUR) return;
    this.prunedAt = now;
    try {
      await this.dataSource.query(`DELETE FROM issuer_usage WHERE hour < now() - make_interval(days => $1)`, [
        USAGE_DAYS,
      ]);
    } catch (error) {
      this.logger.warn(`Could not delete old usage: ${error instanceof Error ? error.message : 'no reason'}`);
    }
  }
}
