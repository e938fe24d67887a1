import { createHash, randomUUID } from 'node:crypto';
import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { SecretBox } from '../../platform/secrets/secret-box.js';
import {
  IdempotencyAnswerLostError,
  IdempotencyInProgressError,
  IdempotencyKeyReusedError,
} from './idempotency.errors.js';

/** How long an answer is kept. */
const KEPT = `interval '24 hours'`;
/** How long a request may take before a repeat may take its place. */
const LEASE = `interval '60 seconds'`;
/** Milliseconds between two removals of what is kept no longer. */
const PRUNE_INTERVAL = 3_600_000;

/** A request that may come twice. */
export interface RepeatableRequest {
  readonly actor: string;
  /** Method and path, in the one spelling of the route's resource. */
  readonly route: string;
  /** The caller's `Idempotency-Key`. */
  readonly key: string;
  /** What the caller sent; another one under the same key is another request. */
  readonly body: unknown;
}

/** Either the right to carry a request out, or the answer it was given before. */
export type Reservation = { readonly id: string } | { readonly answer: unknown };

interface Row {
  readonly id: string;
  readonly fingerprint: Buffer;
  readonly written: boolean;
  readonly answer: Buffer | null;
  readonly leased: boolean;
}

/**
 * Idempotency keys, shared by all processes. A request reserves its key, creates its row in a transaction that marks
 * the reservation (the trigger `record_write`), and keeps its answer; so a row is made once, whenever a process ends.
 */
@Injectable()
export class IdempotencyService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(IdempotencyService.name);
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly dataSource: DataSource,
    private readonly secretBox: SecretBox,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.prune().catch((error: unknown) => {
        this.logger.warn(`Old idempotency keys could not be removed: ${String(error)}`);
      });
    }, PRUNE_INTERVAL).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  /**
   * @throws IdempotencyKeyReusedError (422) @throws IdempotencyInProgressError (409)
   * @throws IdempotencyAnswerLostError (409)
   */
  async reserve({ actor, route, key, body }: RepeatableRequest): Promise<Reservation> {
    await this.prune();
    // In a list, since a body may be absent.
    const fingerprint = createHash('sha256')
      .update(JSON.stringify([body]))
      .digest();
    // One statement: of requests that come at once one gets the row. A request that took longer than its lease, or
    // whose process ended, loses it to a repeat, unless it has written.
    const reserved = await this.dataSource.query<{ id: string }[]>(
      `INSERT INTO idempotency_keys AS k (id, actor, route, key, fingerprint) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (actor, route, key) DO UPDATE SET id = excluded.id, leased_at = now()
         WHERE NOT k.written AND k.leased_at <= now() - ${LEASE} AND k.fingerprint = excluded.fingerprint
       RETURNING id`,
      [randomUUID(), actor, route, key, fingerprint],
    );
    if (reserved[0] !== undefined) return reserved[0];
    const [row] = await this.dataSource.query<Row[]>(
      `SELECT id, fingerprint, written, answer, leased_at > now() - ${LEASE} AS leased
         FROM idempotency_keys WHERE actor = $1 AND route = $2 AND key = $3`,
      [actor, route, key],
    );
    // It was released between the two.
    if (row === undefined) throw new IdempotencyInProgressError();
    if (!row.fingerprint.equals(fingerprint)) throw new IdempotencyKeyReusedError();
    if (row.answer !== null) return { answer: this.open(row.id, row.answer) };
    throw row.written && !row.leased ? new IdempotencyAnswerLostError() : new IdempotencyInProgressError();
  }

  /** Keeps the answer to what was carried out. It may hold a secret, so it is sealed as secrets are. */
  async keep(id: string, answer: unknown): Promise<void> {
    try {
      const sealed = this.secretBox.encrypt(Buffer.from(JSON.stringify(answer)), aadOf(id));
      await this.dataSource.query('UPDATE idempotency_keys SET answer = $2 WHERE id = $1', [id, sealed]);
    } catch (error) {
      // The row is made and its caller shall know: it is a repeat that will be told that the answer is lost.
      this.logger.error(`An answer could not be kept for its repeats: ${String(error)}`);
    }
  }

  /** Lets a key go whose request failed. @returns false where a repeat has taken it over. */
  async release(id: string): Promise<boolean> {
    const [row] = await this.dataSource.query<{ written: boolean }[]>(
      'SELECT written FROM idempotency_keys WHERE id = $1',
      [id],
    );
    if (row === undefined) return false;
    await this.dataSource.query('DELETE FROM idempotency_keys WHERE id = $1 AND NOT written', [id]);
    return true;
  }

  private async prune(): Promise<void> {
    await this.dataSource.query(`DELETE FROM idempotency_keys WHERE created_at < now() - ${KEPT}`);
  }

  private open(id: string, answer: Buffer): unknown {
    try {
      return JSON.parse(this.secretBox.decrypt(answer, aadOf(id)).toString()) as unknown;
    } catch (error) {
      // `SECRETS_KEY` was changed without keeping the old one, or the blob was tampered with.
      this.logger.error(`A kept answer does not open: ${String(error)}`);
      throw new IdempotencyAnswerLostError();
    }
  }
}

/** Where a sealed answer lies: what `SecretBox` authenticates with it. */
function aadOf(id: string): readonly string[] {
  return ['idempotency_keys.answer', id];
}
