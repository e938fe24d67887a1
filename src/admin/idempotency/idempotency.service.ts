import { createHash, randomUUID } from 'node:crypto';
import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { SecretBox } from '../../platform/secrets/secret-box.js';
import {
  IdempotencyResponseLostError,
  IdempotencyInProgressError,
  IdempotencyKeyReusedError,
} from './idempotency.errors.js';

/** How long a response is stored. */
const RETENTION = `interval '24 hours'`;
/** How long a request may take before a retry may take its reservation over. */
const LEASE = `interval '60 seconds'`;
/** Milliseconds between two removals of expired keys. */
const PRUNE_INTERVAL = 3_600_000;

/** A request that may be retried. */
export interface RepeatableRequest {
  readonly actor: string;
  /** Method and normalized path of the resource. */
  readonly route: string;
  /** The caller's `Idempotency-Key`. */
  readonly key: string;
  /** The body as sent: with another one, the same key is refused. */
  readonly body: unknown;
}

/** The reservation of a request to carry out, or the stored response. */
export type Reservation = { readonly id: string } | { readonly response: unknown };

interface Row {
  readonly id: string;
  readonly fingerprint: Buffer;
  readonly written: boolean;
  readonly response: Buffer | null;
  readonly leased: boolean;
}

/**
 * Idempotency keys, shared by all processes. A request reserves its key, creates its row in a transaction that marks
 * the reservation (the trigger `record_write`), and stores its response; so a row is created once, even if a process ends.
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
        this.logger.warn(`Could not remove expired idempotency keys: ${String(error)}`);
      });
    }, PRUNE_INTERVAL).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  /**
   * @throws IdempotencyKeyReusedError (422) @throws IdempotencyInProgressError (409)
   * @throws IdempotencyResponseLostError (409)
   */
  async reserve({ actor, route, key, body }: RepeatableRequest): Promise<Reservation> {
    await this.prune();
    // In an array, since a body may be undefined.
    const fingerprint = createHash('sha256')
      .update(JSON.stringify([body]))
      .digest();
    // One statement, so that one of several concurrent requests gets the row. A request that exceeds its lease, or
    // whose process ended, loses it to a retry, unless it has written.
    const reserved = await this.dataSource.query<{ id: string }[]>(
      `INSERT INTO idempotency_keys AS k (id, actor, route, key, fingerprint) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (actor, route, key) DO UPDATE SET id = excluded.id, leased_at = now()
         WHERE NOT k.written AND k.leased_at <= now() - ${LEASE} AND k.fingerprint = excluded.fingerprint
       RETURNING id`,
      [randomUUID(), actor, route, key, fingerprint],
    );
    if (reserved[0] !== undefined) return reserved[0];
    const [row] = await this.dataSource.query<Row[]>(
      `SELECT id, fingerprint, written, answer AS response, leased_at > now() - ${LEASE} AS leased
         FROM idempotency_keys WHERE actor = $1 AND route = $2 AND key = $3`,
      [actor, route, key],
    );
    // It was released between the two statements.
    if (row === undefined) throw new IdempotencyInProgressError();
    if (!row.fingerprint.equals(fingerprint)) throw new IdempotencyKeyReusedError();
    if (row.response !== null) return { response: this.decrypt(row.id, row.response) };
    throw row.written && !row.leased ? new IdempotencyResponseLostError() : new IdempotencyInProgressError();
  }

  /** Stores a response, encrypted, since it may contain a secret. */
  async store(id: string, response: unknown): Promise<void> {
    try {
      const encrypted = this.secretBox.encrypt(Buffer.from(JSON.stringify(response)), aadOf(id));
      await this.dataSource.query('UPDATE idempotency_keys SET answer = $2 WHERE id = $1', [id, encrypted]);
    } catch (error) {
      // The row is created, so this caller gets the response; only a retry will not.
      this.logger.error(`Could not store a response for retries: ${String(error)}`);
    }
  }

  /** Releases the key of a failed request. @returns false if a retry has taken it over. */
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
    await this.dataSource.query(`DELETE FROM idempotency_keys WHERE created_at < now() - ${RETENTION}`);
  }

  private decrypt(id: string, response: Buffer): unknown {
    try {
      return JSON.parse(this.secretBox.decrypt(response, aadOf(id)).toString()) as unknown;
    } catch (error) {
      // `SECRETS_KEY` no longer has its key, or the blob was tampered with.
      this.logger.error(`Could not decrypt a stored response: ${String(error)}`);
      throw new IdempotencyResponseLostError();
    }
  }
}

/** Additional authenticated data of a stored response: its place. */
function aadOf(id: string): readonly string[] {
  return ['idempotency_keys.answer', id];
}
