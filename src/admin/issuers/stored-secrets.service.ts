import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Environment } from '../../platform/config/environment.js';
import { SecretBox, SecretBoxError } from '../../platform/secrets/secret-box.js';
import { issuerKeyAad } from '../../directory/secret-aads.js';
import { StoredSecretsError } from './issuer.errors.js';

/** Rows of one transaction of a rewrap. */
const BATCH = 100;
/** Secrets per key that the start tries to decrypt: a few may have been modified. */
const SAMPLES = 20;
/** Sorts before every id. */
const NO_ID = '00000000-0000-0000-0000-000000000000';

interface StoredSecret {
  readonly id: string;
  readonly issuer_id: string;
  readonly secret: Buffer;
}

/** The result of a rewrap. */
export interface RewrapResult {
  /** Secrets that were encrypted again under the first key. */
  readonly rewrapped: number;
  /** Secrets that were already under the first key. */
  readonly already: number;
  /** Ids of keys whose secret cannot be decrypted; they are unchanged. */
  readonly failed: readonly string[];
}

/** Encrypts the stored secrets again after a rotation of `SECRETS_KEY`. */
@Injectable()
export class StoredSecretsService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly secretBox: SecretBox,
  ) {}

  /** Encrypts every stored secret under the first key. An interrupted run loses at most one batch; the next continues. */
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
          const secret = decryptSecret(this.secretBox, row);
          if (secret === null) {
            result.failed.push(row.id);
            continue;
          }
          // Unless it has changed since it was read.
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
 * Checks that `SECRETS_KEY` has every key that secrets are stored under, and that each decrypts one: with a wrong key,
 * every token would return 503.
 * @throws StoredSecretsError naming the variable and a row, never a value
 */
export async function requireOpenSecrets(
  dataSource: DataSource,
  { secretsKeys }: Pick<Environment, 'secretsKeys'>,
): Promise<void> {
  const secretBox = new SecretBox(secretsKeys);
  // Grouped by version and key id, the blob's first five bytes.
  const rows: (StoredSecret & { readonly of: number })[] = await dataSource.query(
    `SELECT id, issuer_id, secret, "of" FROM (
       SELECT id, issuer_id, secret,
              count(*) OVER (PARTITION BY substring(secret FROM 1 FOR 5))::int AS "of",
              row_number() OVER (PARTITION BY substring(secret FROM 1 FOR 5) ORDER BY created_at DESC) AS place
         FROM issuer_keys) AS secrets
      WHERE place <= $1`,
    [SAMPLES],
  );
  const decryptable = new Set(rows.filter((row) => decryptSecret(secretBox, row) !== null).map(headOf));
  const row = rows.find((candidate) => !decryptable.has(headOf(candidate)));
  if (row !== undefined) throw new StoredSecretsError(row.of, row, secretBox.knows(row.secret));
}

function decryptSecret(secretBox: SecretBox, { id, issuer_id, secret }: StoredSecret): Buffer | null {
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
