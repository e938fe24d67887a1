import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { PeriodicWriter } from '../platform/periodic-writer.js';

interface Use {
  uses: number;
  lastUsedAt: number;
}

/** Counts the uses of keys and writes them periodically: never during a redirect. */
@Injectable()
export class IssuerKeyUses extends PeriodicWriter {
  private readonly logger = new Logger(IssuerKeyUses.name);
  /** Keys that verified a token since the last write: at most as many as exist. */
  private unwritten = new Map<string, Use>();

  constructor(private readonly dataSource: DataSource) {
    super();
  }

  /** Counts one accepted token. Does no I/O. */
  count(keyId: string): void {
    const use = this.unwritten.get(keyId);
    if (use === undefined) this.unwritten.set(keyId, { uses: 1, lastUsedAt: Date.now() });
    else {
      use.uses += 1;
      use.lastUsedAt = Date.now();
    }
  }

  async flush(): Promise<void> {
    const counted = this.unwritten;
    if (counted.size === 0) return;
    this.unwritten = new Map();
    const uses = [...counted];
    try {
      // Ordered by key, so that replicas cannot deadlock. A key that was deleted in the meantime has no row.
      await this.dataSource.query(
        `INSERT INTO issuer_key_uses AS known (key_id, uses, last_used_at)
         SELECT key.id, counted.uses, to_timestamp(counted.at / 1000.0)
           FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS counted (id, uses, at)
           JOIN issuer_keys AS key ON key.id = counted.id
          ORDER BY key.id
         ON CONFLICT (key_id) DO UPDATE SET
           uses = known.uses + excluded.uses, last_used_at = greatest(known.last_used_at, excluded.last_used_at)`,
        [uses.map(([id]) => id), uses.map(([, use]) => use.uses), uses.map(([, use]) => use.lastUsedAt)],
      );
    } catch (error) {
      this.logger.warn(
        `Could not write the uses of keys: ${error instanceof Error ? error.message : 'no reason'}`,
      );
      for (const [keyId, use] of uses) this.putBack(keyId, use);
    }
  }

  private putBack(keyId: string, { uses, lastUsedAt }: Use): void {
    const since = this.unwritten.get(keyId);
    if (since === undefined) this.unwritten.set(keyId, { uses, lastUsedAt });
    else since.uses += uses;
  }
}
