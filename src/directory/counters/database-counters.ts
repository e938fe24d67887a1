import { createHash } from 'node:crypto';
import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { BatchLoader } from '../batch-loader.js';
import { DatabaseLookups, type Statement } from '../database-lookups.service.js';
import {
  Counters,
  KNOWN_DAYS,
  type PaidPicture,
  type Picture,
  startOfDay,
  type TokenUse,
} from './counters.js';

/** Pictures that are counted by one statement, and those that wait for it. */
const BOUNDS = { queries: 2, size: 500, waiting: 2_000 };
/** Milliseconds between two removals of counts that have expired. */
const PRUNE_INTERVAL = 10 * 60_000;
/** Rows deleted at once. */
const PRUNE_BATCH = 10_000;

const PAY: Statement = {
  name: 'pixseal_pay_pictures',
  text: 'SELECT paid_issuer_id AS issuer_id, paid_digest AS digest, is_new FROM pay_pictures($1, $2, $3, $4, $5)',
};

/** An issuer that was deleted meanwhile has no row, and the use is refused. */
const USE: Statement = {
  name: 'pixseal_count_use',
  text: `INSERT INTO token_uses AS known (issuer_id, token, uses, expires_at)
         SELECT id, $2, 1, $4 FROM issuers WHERE id = $1
         ON CONFLICT (issuer_id, token) DO UPDATE SET
           uses = known.uses + 1, expires_at = greatest(known.expires_at, excluded.expires_at)
         WHERE known.uses < $3
         RETURNING uses`,
};

const PRUNE: readonly Statement[] = [
  {
    name: 'pixseal_prune_uses',
    text: `DELETE FROM token_uses WHERE (issuer_id, token) IN (
             SELECT issuer_id, token FROM token_uses WHERE expires_at < now() - interval '1 hour' LIMIT ${PRUNE_BATCH})`,
  },
  {
    name: 'pixseal_prune_pictures',
    text: `DELETE FROM pictures WHERE (issuer_id, digest) IN (
             SELECT issuer_id, digest FROM pictures WHERE seen_on < (now() AT TIME ZONE 'utc')::date - ${KNOWN_DAYS + 1} LIMIT ${PRUNE_BATCH})`,
  },
  {
    name: 'pixseal_prune_picture_days',
    text: `DELETE FROM picture_days WHERE day < (now() AT TIME ZONE 'utc')::date - 2`,
  },
];

/** Counts in the database: pictures in batches, uses of tokens one by one. */
@Injectable()
export class DatabaseCounters extends Counters implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(DatabaseCounters.name);
  /** By the day, since a batch is of one. */
  private readonly loader: BatchLoader<PaidPicture>;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly lookups: DatabaseLookups) {
    super();
    this.loader = new BatchLoader((keys) => this.payAll(keys), BOUNDS);
  }

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.prune().catch((error: unknown) => {
        this.logger.warn(`Could not delete expired counts: ${String(error)}`);
      });
    }, PRUNE_INTERVAL).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  override async payPicture({ issuerId, digest, budget }: Picture, day: number): Promise<PaidPicture | null> {
    return this.loader.load([day, budget, issuerId, digest].join('/'));
  }

  override async countUse({ issuerId, jwtId, maxUses, expiresAt }: TokenUse): Promise<boolean> {
    const token = createHash('sha256').update(jwtId).digest();
    const values = [issuerId, token, maxUses, new Date(expiresAt)];
    // Only once: a second attempt would count a second use.
    const rows = await this.lookups.run((query) => query(USE, values), 1);
    return rows.length > 0;
  }

  /** Deletes counts that have expired. */
  async prune(): Promise<void> {
    for (const statement of PRUNE) await this.lookups.run((query) => query(statement));
  }

  /** Paying twice has the effect of paying once, so a look-up may run again. */
  private async payAll(keys: readonly string[]): Promise<ReadonlyMap<string, PaidPicture>> {
    const wanted = keys.map(parseKey);
    const paid = new Map<string, PaidPicture>();
    for (const day of new Set(wanted.map((picture) => picture.day))) {
      const ofDay = wanted.filter((picture) => picture.day === day);
      const rows = await this.lookups.run((query) =>
        query<{ issuer_id: string; digest: Buffer; is_new: boolean }>(PAY, [
          ofDay.map(({ issuerId }) => issuerId),
          ofDay.map(({ budget }) => budget),
          ofDay.map(({ digest }) => Buffer.from(digest, 'base64url')),
          new Date(startOfDay(day)).toISOString().slice(0, 10),
          KNOWN_DAYS,
        ]),
      );
      const found = new Map(
        rows.map((row) => [`${row.issuer_id}/${row.digest.toString('base64url')}`, row.is_new] as const),
      );
      for (const { key, issuerId, digest } of ofDay) {
        const isNew = found.get(`${issuerId}/${digest}`);
        if (isNew !== undefined) paid.set(key, isNew ? 'new' : 'known');
      }
    }
    return paid;
  }
}

function parseKey(key: string): Picture & { readonly key: string; readonly day: number } {
  const [day = '', budget = '', issuerId = '', digest = ''] = key.split('/');
  return { key, day: Number(day), budget: Number(budget), issuerId, digest };
}
