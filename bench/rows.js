// A Postgres with the rows that the benches ask for, written in SQL.
import { execFileSync } from 'node:child_process';
import pg from 'pg';
import { findPostgres, issuerKeyAad, SecretBox, startPostgres } from './pixseal.js';

/** The seed's rows. */
export const SEED = {
  issuerId: 'cfd3b472-dbba-4089-bce7-f5c1e413b5c1',
  imageId: '161400d0-c894-42fd-8100-262361ea91ff',
  overlayId: '3d616b4e-a597-4b23-aa3d-d7de678f0ba6',
  publicId: 'ba5a440dbe3d',
  overlayPublicId: 'd47e609177b4',
  version: 123123,
};
export const PUBLIC_IMAGE = { id: '20000000-0000-4000-8000-000000000000', publicId: 'public' };
export const CLOUD = { cloud_name: 'bench', api_key: '1', api_secret: 'uGG-bench-secret-of-27-char' };
/** Of the issuer's key: what seals the tokens. */
export const KEY = {
  id: '30000000-0000-4000-8000-000000000000',
  secret: 'bench-secret-of-43-characters-as-made-by-us',
};

const SECRETS_KEY = Buffer.alloc(32, 7);
const secretBox = new SecretBox([SECRETS_KEY]);

/** What the service is started with; `DATABASE_URL` comes with the database. */
const SETTINGS = {
  CLOUDINARY_URL: `cloudinary://${CLOUD.api_key}:${CLOUD.api_secret}@${CLOUD.cloud_name}`,
  ADMIN_API_KEYS: 'bench-admin-key-of-32-characters-or-more',
  SECRETS_KEY: SECRETS_KEY.toString('hex'),
  LOG_LEVEL: 'silent',
  // All load comes from one address.
  RATE_LIMIT_ADDRESS: '0',
};

/** Starts a Postgres, or takes `TEST_DATABASE_URL`, and fills a database of its own with the seed's rows. */
export async function startDatabase() {
  const found = findPostgres();
  if (found === null)
    throw new Error('There is no Postgres: install the package postgresql, or set TEST_DATABASE_URL');
  const server = await startPostgres(found);
  // Where a signal ends the bench: the server is told before the first wait.
  const abandon = () => void server.stop();
  process.once('exit', abandon);
  const name = `pixseal_bench_${process.pid}`;
  const outside = new pg.Client({ connectionString: server.url });
  await outside.connect();
  await outside.query(`CREATE DATABASE ${name}`);
  const url = new URL(server.url);
  url.pathname = `/${name}`;
  execFileSync(process.execPath, ['dist/src/platform/database/migration-run.js'], {
    env: { PATH: process.env.PATH, DATABASE_URL: url.href },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const rows = new pg.Client({ connectionString: url.href });
  await rows.connect();
  // Rows that come before any service need neither be told nor recorded.
  await rows.query(`SET session_replication_role = replica`);
  await insertIssuer(rows, SEED.issuerId, KEY);
  await rows.query(
    `INSERT INTO images (id, issuer_id, public_id, version, access) VALUES ($1, $3, $4, $5, 'token'), ($2, $3, $6, $5, 'public')`,
    [SEED.imageId, PUBLIC_IMAGE.id, SEED.issuerId, SEED.publicId, SEED.version, PUBLIC_IMAGE.publicId],
  );
  await rows.query(`INSERT INTO overlays (id, issuer_id, public_id) VALUES ($1, $2, $3)`, [
    SEED.overlayId,
    SEED.issuerId,
    SEED.overlayPublicId,
  ]);
  const version = (await rows.query('SHOW server_version')).rows[0].server_version;
  return {
    url: url.href,
    version: version.split(' ')[0],
    rows,
    settings: { ...SETTINGS, DATABASE_URL: url.href },
    stop: async () => {
      await rows.end();
      await outside.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await outside.end();
      process.off('exit', abandon);
      await server.stop();
    },
  };
}

/** Inserts an issuer with a key whose secret the service can open. */
export async function insertIssuer(rows, issuerId, { id, secret }) {
  await rows.query(`INSERT INTO issuers (id, name) VALUES ($1, $2)`, [issuerId, `Bench ${issuerId}`]);
  await rows.query(`INSERT INTO issuer_keys (id, issuer_id, secret) VALUES ($1, $2, $3)`, [
    id,
    issuerId,
    secretBox.encrypt(Buffer.from(secret), issuerKeyAad(issuerId, id)),
  ]);
}

/** A numbered issuer of `insertIssuers`, and its key. */
export function numberedIssuer(index) {
  return {
    issuerId: numbered(4, index),
    key: { id: numbered(6, index), secret: `bench-secret-of-issuer-${String(index).padStart(20, '0')}` },
  };
}

/** Inserts issuers `from` to `to`, each with a key of its own and an image. */
export async function insertIssuers(rows, from, to) {
  const numbers = Array.from({ length: to - from + 1 }, (_, index) => from + index);
  const issuers = numbers.map(numberedIssuer);
  const ids = issuers.map(({ issuerId }) => issuerId);
  await rows.query(`INSERT INTO issuers (id, name) SELECT id, 'Bench' FROM unnest($1::uuid[]) AS id`, [ids]);
  await rows.query(
    `INSERT INTO issuer_keys (id, issuer_id, secret) SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bytea[])`,
    [
      issuers.map(({ key }) => key.id),
      ids,
      issuers.map(({ issuerId, key }) =>
        secretBox.encrypt(Buffer.from(key.secret), issuerKeyAad(issuerId, key.id)),
      ),
    ],
  );
  await rows.query(
    `INSERT INTO images (id, issuer_id, public_id, version)
     SELECT image.id, image.issuer_id, 'issuer-image-' || image.number, $4
     FROM unnest($1::uuid[], $2::uuid[], $3::int[]) AS image (id, issuer_id, number)`,
    [numbers.map((index) => numbered(5, index)), ids, numbers, SEED.version],
  );
  await rows.query(`ANALYZE`);
}

/** The id of a numbered row: `numbered(1, 5)` is 10000000-0000-4000-8000-000000000005. */
export function numbered(kind, index) {
  return `${kind}0000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
}

/** Inserts images `from` to `to` of the seed's issuer, with public ids `image-<number>`. */
export async function insertImages(rows, from, to) {
  await rows.query(
    `INSERT INTO images (id, issuer_id, public_id, version)
     SELECT ('10000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, $1, 'image-' || n, $2
     FROM generate_series($3::int, $4::int) AS n`,
    [SEED.issuerId, SEED.version, from, to],
  );
  // What Postgres would do about so many new rows later on, in the middle of a run.
  await rows.query(`VACUUM ANALYZE images`);
  await rows.query(`CHECKPOINT`);
}

/** The tables of a service that a user would write: secrets as text, one table each. */
export async function insertOwnRows(rows) {
  await rows.query(`CREATE SCHEMA own`);
  await rows.query(`CREATE TABLE own.issuers (id uuid PRIMARY KEY, secret text NOT NULL)`);
  await rows.query(`CREATE TABLE own.images
    (id uuid PRIMARY KEY, issuer_id uuid NOT NULL, public_id text NOT NULL, version int NOT NULL)`);
  await rows.query(`CREATE TABLE own.overlays
    (id uuid PRIMARY KEY, issuer_id uuid NOT NULL, public_id text NOT NULL)`);
  await rows.query(`INSERT INTO own.issuers VALUES ($1, $2)`, [SEED.issuerId, KEY.secret]);
  await rows.query(`INSERT INTO own.images VALUES ($1, $2, $3, $4)`, [
    SEED.imageId,
    SEED.issuerId,
    SEED.publicId,
    SEED.version,
  ]);
  await rows.query(`INSERT INTO own.overlays VALUES ($1, $2, $3)`, [
    SEED.overlayId,
    SEED.issuerId,
    SEED.overlayPublicId,
  ]);
}
