import type { Image } from '../domain/image.js';
import type { UrlSignature } from '../domain/url-signature.js';
import type { Overlay } from '../domain/overlay.js';
import type { RevocationKind } from '../domain/revocation.js';
import type { TokenAlgorithm } from '../tokens/signing-key.js';
import type { Query, Statement } from './database-lookups.service.js';

/** The key of a row within its issuer. */
export const rowKey = (issuerId: string, id: string): string => `${issuerId}/${id}`;

/** The ids of keys, as the two arrays that a statement joins with: a row of another issuer is never read. */
function unzip(keys: readonly string[]): [issuerIds: string[], ids: string[]] {
  return [
    keys.map((key) => key.slice(0, key.indexOf('/'))),
    keys.map((key) => key.slice(key.indexOf('/') + 1)),
  ];
}

const IMAGE_COLUMNS =
  'images.id, images.issuer_id, public_id, version, format, delivery_type, access, not_before, deleted_at, rejected_at';

interface ImageRow {
  readonly id: string;
  readonly issuer_id: string;
  readonly public_id: string;
  /** A bigint, which the driver returns as text; the API's limit is a safe integer. */
  readonly version: string;
  readonly format: string | null;
  readonly delivery_type: Image['deliveryType'];
  readonly access: Image['access'];
  readonly not_before: Date | null;
  readonly deleted_at: Date | null;
  readonly rejected_at: Date | null;
}

const toImage = (row: ImageRow): Image => ({
  id: row.id,
  issuerId: row.issuer_id,
  publicId: row.public_id,
  version: Number(row.version),
  format: row.format,
  deliveryType: row.delivery_type,
  access: row.access,
  notBefore: row.not_before,
  deleted: row.deleted_at !== null,
  rejected: row.rejected_at !== null,
});

const IMAGES: Statement = {
  name: 'pixseal_images',
  text: `SELECT ${IMAGE_COLUMNS} FROM unnest($1::uuid[], $2::uuid[]) AS wanted (issuer_id, id) JOIN images USING (issuer_id, id)`,
};

/** Images by the keys of `rowKey`, including deleted ones. */
export async function readImages(query: Query, keys: readonly string[]): Promise<ReadonlyMap<string, Image>> {
  const rows = await query<ImageRow>(IMAGES, unzip(keys));
  return new Map(rows.map((row) => [rowKey(row.issuer_id, row.id), toImage(row)]));
}

const PUBLIC_IMAGES: Statement = {
  name: 'pixseal_public_images',
  text: `SELECT ${IMAGE_COLUMNS} FROM images WHERE id = ANY($1::uuid[]) AND access = 'public'`,
};

/** Images of any issuer that may be shown without a token, by id, including deleted ones. */
export async function readPublicImages(
  query: Query,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Image>> {
  const rows = await query<ImageRow>(PUBLIC_IMAGES, [ids]);
  return new Map(rows.map((row) => [row.id, toImage(row)]));
}

interface OverlayRow {
  readonly id: string;
  readonly issuer_id: string;
  readonly public_id: string;
  readonly delivery_type: Overlay['deliveryType'];
  readonly shared: boolean;
  readonly account_id: string;
}

const OVERLAYS: Statement = {
  name: 'pixseal_overlays',
  text: 'SELECT id, issuer_id, public_id, delivery_type, shared, account_id FROM overlays WHERE id = ANY($1::uuid[]) AND rejected_at IS NULL',
};

/** Overlays of any issuer by id, without rejected ones: `isVisible` decides who may use them. */
export async function readOverlays(
  query: Query,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Overlay>> {
  const rows = await query<OverlayRow>(OVERLAYS, [ids]);
  return new Map(rows.map((row) => [row.id, toOverlay(row)]));
}

const toOverlay = (row: OverlayRow): Overlay => ({
  id: row.id,
  issuerId: row.issuer_id,
  publicId: row.public_id,
  deliveryType: row.delivery_type,
  shared: row.shared,
  accountId: row.account_id,
});

/** An issuer's columns that a redirect needs. */
export interface IssuerRow {
  readonly id: string;
  readonly disabled: boolean;
  readonly not_before: Date | null;
  readonly delivery_format: string;
  readonly policy: object;
  /** Null for the account of the environment. */
  readonly account_id: string | null;
  readonly iss_aliases: readonly string[];
  readonly aud: string | null;
  readonly jwks_url: string | null;
}

/** A key's columns: `secret`, which is encrypted, or `public_key`. */
export interface KeyRow {
  readonly id: string;
  readonly issuer_id: string;
  readonly algorithm: TokenAlgorithm;
  readonly secret: Buffer | null;
  readonly public_key: string | null;
  readonly not_before: Date | null;
  readonly not_after: Date | null;
}

const ISSUERS: Statement = {
  name: 'pixseal_issuers',
  text: 'SELECT id, disabled, not_before, delivery_format, policy, account_id, iss_aliases, aud, jwks_url FROM issuers WHERE id = ANY($1::uuid[])',
};
const KEYS: Statement = {
  name: 'pixseal_issuer_keys',
  text: 'SELECT id, issuer_id, algorithm, secret, public_key, not_before, not_after FROM issuer_keys WHERE issuer_id = ANY($1::uuid[]) ORDER BY created_at DESC, id DESC',
};

/** Issuers with their keys, newest first. */
export async function readIssuers(
  query: Query,
  ids: readonly string[],
): Promise<readonly (readonly [IssuerRow, readonly KeyRow[]])[]> {
  const issuers = await query<IssuerRow>(ISSUERS, [ids]);
  if (issuers.length === 0) return [];
  const keys = await query<KeyRow>(KEYS, [ids]);
  return issuers.map((issuer) => [issuer, keys.filter((key) => key.issuer_id === issuer.id)]);
}

/** An account's columns; its key of `__cld_token__` is encrypted. */
export interface AccountRow {
  readonly id: string;
  readonly cloud_name: string;
  readonly host: string | null;
  readonly private_cdn: boolean;
  readonly upload_prefix: string;
  readonly signature: UrlSignature;
  readonly auth_token_key: Buffer | null;
  readonly disabled: boolean;
}

/** A secret's columns; `secret` is encrypted. */
export interface AccountSecretRow {
  readonly id: string;
  readonly account_id: string;
  readonly api_key: string;
  readonly secret: Buffer;
  readonly signs: boolean;
  readonly not_after: Date | null;
}

const ACCOUNT_COLUMNS =
  'id, cloud_name, host, private_cdn, upload_prefix, signature, auth_token_key, disabled';
const ACCOUNTS: Statement = {
  name: 'pixseal_accounts',
  text: `SELECT ${ACCOUNT_COLUMNS} FROM accounts WHERE id = ANY($1::uuid[])`,
};
const ACCOUNTS_OF_CLOUDS: Statement = {
  name: 'pixseal_accounts_of_clouds',
  text: `SELECT ${ACCOUNT_COLUMNS} FROM accounts WHERE cloud_name = ANY($1::text[])`,
};
const ACCOUNT_SECRETS: Statement = {
  name: 'pixseal_account_secrets',
  text: 'SELECT id, account_id, api_key, secret, signs, not_after FROM account_secrets WHERE account_id = ANY($1::uuid[]) ORDER BY created_at DESC, id DESC',
};

type AccountRows = readonly (readonly [AccountRow, readonly AccountSecretRow[]])[];

/** Accounts with their secrets, newest first. */
export async function readAccounts(query: Query, ids: readonly string[]): Promise<AccountRows> {
  return ids.length === 0 ? [] : withSecrets(query, await query<AccountRow>(ACCOUNTS, [ids]));
}

/** Accounts by their clouds' names, with their secrets. */
export async function readAccountsOfClouds(
  query: Query,
  cloudNames: readonly string[],
): Promise<AccountRows> {
  return withSecrets(query, await query<AccountRow>(ACCOUNTS_OF_CLOUDS, [cloudNames]));
}

async function withSecrets(query: Query, accounts: readonly AccountRow[]): Promise<AccountRows> {
  if (accounts.length === 0) return [];
  const secrets = await query<AccountSecretRow>(ACCOUNT_SECRETS, [accounts.map(({ id }) => id)]);
  return accounts.map((account) => [account, secrets.filter((secret) => secret.account_id === account.id)]);
}

const ISSUER_IDS: Statement = { name: 'pixseal_issuer_ids', text: 'SELECT id FROM issuers LIMIT $1' };

/** At most `limit` issuers' ids. */
export async function readIssuerIds(query: Query, limit: number): Promise<readonly string[]> {
  const rows = await query<{ id: string }>(ISSUER_IDS, [limit]);
  return rows.map(({ id }) => id);
}

const ISSUER_ALIASES: Statement = {
  name: 'pixseal_issuer_aliases',
  text: `SELECT id, alias FROM issuers, unnest(iss_aliases) AS alias WHERE iss_aliases <> '{}' LIMIT $1`,
};

/** At most `limit` aliases of issuers, with the issuers' ids. */
export function readIssuerAliases(
  query: Query,
  limit: number,
): Promise<readonly { readonly id: string; readonly alias: string }[]> {
  return query(ISSUER_ALIASES, [limit]);
}

const ISSUER_OF_ALIAS: Statement = {
  name: 'pixseal_issuer_of_alias',
  text: 'SELECT id FROM issuers WHERE iss_aliases @> ARRAY[$1::text]',
};

/** The id of the issuer that an alias names; null if none has it. */
export async function readIssuerOfAlias(query: Query, alias: string): Promise<string | null> {
  const [row] = await query<{ id: string }>(ISSUER_OF_ALIAS, [alias]);
  return row?.id ?? null;
}

/** A name by which tokens are revoked. */
export interface RevocationRow {
  readonly kind: RevocationKind;
  readonly value: string;
}

const REVOCATIONS: Statement = {
  name: 'pixseal_revocations',
  text: 'SELECT kind, value FROM revocations WHERE issuer_id = $1 LIMIT $2',
};

/** At most `limit` revocations of an issuer. */
export function readRevocations(query: Query, issuerId: string, limit: number): Promise<RevocationRow[]> {
  return query<RevocationRow>(REVOCATIONS, [issuerId, limit]);
}

const REVOKED: Statement = {
  name: 'pixseal_revoked',
  text: 'SELECT kind, value FROM unnest($2::text[], $3::text[]) AS wanted (kind, value) JOIN revocations USING (kind, value) WHERE issuer_id = $1',
};

/** Those of the names that an issuer has revoked. */
export function readRevoked(
  query: Query,
  issuerId: string,
  names: readonly RevocationRow[],
): Promise<RevocationRow[]> {
  return query<RevocationRow>(REVOKED, [
    issuerId,
    names.map(({ kind }) => kind),
    names.map(({ value }) => value),
  ]);
}
