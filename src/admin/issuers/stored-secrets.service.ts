import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Environment } from '../../platform/config/environment.js';
import { SecretBox, SecretBoxError } from '../../platform/secrets/secret-box.js';
import { accountSecretAad, authTokenKeyAad, issuerKeyAad } from '../../directory/secret-aads.js';
import { StoredSecretsError } from './issuer.errors.js';

/** Rows of one transaction of a rewrap. */
const BATCH = 100;
/** Secrets per key that the start tries to decrypt: a few may have been modified. */
const SAMPLES = 20;
/** Sorts before every id. */
const NO_ID = '00000000-0000-0000-0000-000000000000';

/** A column of encrypted secrets. */
interface SecretColumn {
  readonly table: string;
  readonly column: string;
  /** The column that names the owner, which the encryption authenticates with the row's id. */
  readonly owner: string;
  readonly aad: (owner: string, id: string) => readonly string[];
  /** The row in a message. */
  readonly describe: (owner: string, id: string) => string;
}

const SECRET_COLUMNS: readonly SecretColumn[] = [
  {
    table: 'issuer_keys',
    column: 'secret',
    owner: 'issuer_id',
    aad: issuerKeyAad,
    describe: (issuerId, id) => `key ${id} of issuer ${issuerId}`,
  },
  {
    table: 'account_secrets',
    column: 'secret',
    owner: 'account_id',
    aad: accountSecretAad,
    describe: (accountId, id) => `secret ${id} of account ${accountId}`,
  },
  {
    table: 'accounts',
    column: 'auth_token_key',
    owner: 'id',
    aad: authTokenKeyAad,
    describe: (accountId) => `account ${accountId}`,
  },
];

interface StoredSecret {
  readonly id: string;
  readonly owner: string;
  readonly secret: Buffer;
}

/** The result of a rewrap. */
export interface RewrapResult {
  /** Secrets that were encrypted again under the first key. */
  readonly rewrapped: number;
  /** Secrets that were already under the first key. */
  readonly already: number;
  /** Ids of issuer keys, account secrets and accounts whose secret cannot be decrypted; they are unchanged. */
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
    for (const column of SECRET_COLUMNS) await this.rewrapColumn(column, result);
    return result;
  }

  private async rewrapColumn(
    place: SecretColumn,
    result: { rewrapped: number; already: number; failed: string[] },
  ): Promise<void> {
    const { table, column, owner, aad } = place;
    for (let after = NO_ID; ;) {
      const batch = await this.query<StoredSecret>(
        `SELECT id, ${owner} AS owner, ${column} AS secret FROM ${table}
          WHERE id > $1 AND ${column} IS NOT NULL ORDER BY id LIMIT ${BATCH}`,
        [after],
      );
      const last = batch.at(-1);
      if (last === undefined) return;
      after = last.id;
      const stale = batch.filter(({ secret }) => !this.secretBox.isUnderFirst(secret));
      result.already += batch.length - stale.length;
      await this.dataSource.transaction(async (rows) => {
        for (const row of stale) {
          const secret = decryptSecret(this.secretBox, place, row);
          if (secret === null) {
            result.failed.push(row.id);
            continue;
          }
          // Unless it has changed since it was read.
          await rows.query(
            `UPDATE ${table} SET ${column} = $1 WHERE id = $2 AND ${owner} = $3 AND ${column} = $4`,
            [this.secretBox.encrypt(secret, aad(row.owner, row.id)), row.id, row.owner, row.secret],
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
  const secrets = SECRET_COLUMNS.map(
    ({ table, column, owner }, place) =>
      `SELECT ${place} AS place, id, ${owner} AS owner, ${column} AS secret, created_at
         FROM ${table} WHERE ${column} IS NOT NULL`,
  ).join(' UNION ALL ');
  // Grouped by version and key id, the blob's first five bytes.
  const rows: (StoredSecret & { readonly place: number; readonly of: number })[] = await dataSource.query(
    `SELECT place, id, owner, secret, "of" FROM (
       SELECT place, id, owner, secret,
              count(*) OVER (PARTITION BY substring(secret FROM 1 FOR 5))::int AS "of",
              row_number() OVER (PARTITION BY substring(secret FROM 1 FOR 5) ORDER BY created_at DESC) AS rank
         FROM (${secrets}) AS stored) AS secrets
      WHERE rank <= $1`,
    [SAMPLES],
  );
  const placeOf = ({ place }: { readonly place: number }): SecretColumn => {
    const column = SECRET_COLUMNS[place];
    if (column === undefined) throw new TypeError('No such column');
    return column;
  };
  const decryptable = new Set(
    rows.filter((row) => decryptSecret(secretBox, placeOf(row), row) !== null).map(headOf),
  );
  const row = rows.find((candidate) => !decryptable.has(headOf(candidate)));
  if (row === undefined) return;
  const { table, describe } = placeOf(row);
  throw new StoredSecretsError(
    row.of,
    { table, row: describe(row.owner, row.id) },
    secretBox.knows(row.secret),
  );
}

function decryptSecret(
  secretBox: SecretBox,
  { aad }: SecretColumn,
  { id, owner, secret }: StoredSecret,
): Buffer | null {
  try {
    return secretBox.decrypt(secret, aad(owner, id));
  } catch (error) {
    if (error instanceof SecretBoxError) return null;
    throw error;
  }
}

function headOf({ secret }: StoredSecret): string {
  return secret.subarray(0, 5).toString('hex');
}
