import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Environment } from '../../platform/config/environment.js';
import { SecretBox, SecretBoxError } from '../../platform/secrets/secret-box.js';
import { issuerKeyAad } from '../../directory/issuer-key-aad.js';
import { StoredSecretsError } from './issuer.errors.js';

/** Rows that one transaction of a rewrap holds. */
const BATCH = 100;
/** Secrets of one key that are tried at a start until one opens: a few may have been altered. */
const SAMPLES = 20;
/** Sorts before every id. */
const NO_ID = '00000000-0000-0000-0000-000000000000';

interface StoredSecret {
  readonly id: string;
  readonly issuer_id: string;
  readonly secret: Buffer;
}

/** What a rewrap did. */
export interface RewrapResult {
  /** Secrets that are under the first key now, and were not. */
  readonly rewrapped: number;
  /** Secrets that were under the first key already. */
  readonly already: number;
  /** Keys whose secret does not open, by id: they stay as they are. */
  readonly failed: readonly string[];
}

/** The issuers' secrets as they are stored, each under one of the keys of `SECRETS_KEY`. */
@Injectable()
export class StoredSecretsService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly secretBox: SecretBox,
  ) {}

  /**
   * Seals every stored secret under the first key that is not under it yet. Whoever stops it loses one batch at the
   * most, and the next run goes on; replicas read the keys anew as they are told of the rows.
   */
  async rewrap(): Promise<RewrapResult> {
    const result = { rewrapped: 0, already: 0, failed: [] as string[] };
    for (let after = NO_ID; ;) {
      const batch = await this.query<StoredSecret>(
        `SELECT id, issuer_id, secret FROM issuer_keys WHERE id > $1 ORDER BY id LIMIT ${BATCH}`,
        [after],
      );
      const last = batch.at(-1);
      if (last === undefined) return result;
      after = last.id;
      const stale = batch.filter(({ secret }) => !this.secretBox.isUnderFirst(secret));
      result.already += batch.length - stale.length;
      await this.dataSource.transaction(async (rows) => {
        for (const row of stale) {
          const secret = openSecret(this.secretBox, row);
          if (secret === null) {
            result.failed.push(row.id);
            continue;
          }
          // Unless it was changed since it was read.
          await rows.query(
            `UPDATE issuer_keys SET secret = $1 WHERE id = $2 AND issuer_id = $3 AND secret = $4`,
            [
              this.secretBox.encrypt(secret, issuerKeyAad(row.issuer_id, row.id)),
              row.id,
              row.issuer_id,
              row.secret,
            ],
          );
          result.rewrapped += 1;
        }
      });
    }
  }

  private query<T>(text: string, parameters: readonly unknown[]): Promise<T[]> {
    return this.dataSource.query(text, [...parameters]);
  }
}

/**
 * Checks that `SECRETS_KEY` has every key that stored secrets are under, and that each opens one: a service under a
 * wrong one would answer every token 503.
 * @throws StoredSecretsError naming the variable and a row, never a value
 */
export async function requireOpenSecrets(
  dataSource: DataSource,
  { secretsKeys }: Pick<Environment, 'secretsKeys'>,
): Promise<void> {
  const secretBox = new SecretBox(secretsKeys);
  // By version and key id, the blob's first five bytes.
  const rows: (StoredSecret & { readonly of: number })[] = await dataSource.query(
    `SELECT id, issuer_id, secret, "of" FROM (
       SELECT id, issuer_id, secret,
              count(*) OVER (PARTITION BY substring(secret FROM 1 FOR 5))::int AS "of",
              row_number() OVER (PARTITION BY substring(secret FROM 1 FOR 5) ORDER BY created_at DESC) AS place
         FROM issuer_keys) AS secrets
      WHERE place <= $1`,
    [SAMPLES],
  );
  const opened = new Set(rows.filter((row) => openSecret(secretBox, row) !== null).map(headOf));
  const row = rows.find((candidate) => !opened.has(headOf(candidate)));
  if (row !== undefined) throw new StoredSecretsError(row.of, row, secretBox.knows(row.secret));
}

function openSecret(secretBox: SecretBox, { id, issuer_id, secret }: StoredSecret): Buffer | null {
  try {
    return secretBox.decrypt(secret, issuerKeyAad(issuer_id, id));
  } catch (error) {
    if (error instanceof SecretBoxError) return null;
    throw error;
  }
}

function headOf({ secret }: StoredSecret): string {
  return secret.subarray(0, 5).toString('hex');
}
