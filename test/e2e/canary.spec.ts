import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDataSource } from '../../src/platform/database/data-source.js';
import { type AccountHost, sendPicture, startAccountHost } from '../support/account-host.js';
import { request, sendRaw, type HttpResponse } from '../support/http.js';
import { parseLocation } from '../support/location-parser.js';
import { findPostgresProgram } from '../support/postgres-server.js';
import { signWith } from '../support/seed.js';
import {
  spawnBuilt,
  startServiceProcess,
  type ProcessExit,
  type ServiceProcess,
} from '../support/service-process.js';
import { CLOUD, TEST_VARIABLES } from '../support/service.js';
import { startCollector, type Collector } from '../support/collector.js';
import { findSecrets, encodingsOf } from '../support/secret-encodings.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { waitUntil } from '../support/wait-until.js';

const random = (name: string): string => `${name}-${randomBytes(18).toString('base64url')}`;
const SECRETS_KEY = randomBytes(32);
const API_SECRET = random('canary-cloudinary');
const ADMIN_KEY = random('canary-admin-key');
const OWN_SECRET = random('canary/signing+secret=');
const DATABASE_PASSWORD = random('canary-postgres');
const REDIS_PASSWORD = random('canary-redis');
const { privateKey } = generateKeyPairSync('ed25519');
const PRIVATE_PEM = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const PRIVATE_JWK = privateKey.export({ format: 'jwk' });
/** Not a secret: shows that a dump and a log are complete. */
const MARKER = `marker-${randomBytes(9).toString('hex')}`;

/** By name, in every encoding. */
const secrets = new Map<string, readonly string[]>();
/** The responses, and the secrets that each may contain. */
const responses: { readonly what: string; readonly text: string; readonly may: readonly string[] }[] = [];

let database: TestDatabase;
let service: ServiceProcess;
let collector: Collector;
let host: AccountHost;
let cacheFolder: string;
let ended: ProcessExit;
let refusedStart: ProcessExit;
let dump: string;

function keep(name: string, ...values: readonly (string | Buffer)[]): void {
  secrets.set(name, [...(secrets.get(name) ?? []), ...values.flatMap(encodingsOf)]);
}

/** A request whose full response is kept. @param may Names of secrets that it is expected to contain. */
async function sendRequest(
  method: string,
  path: string,
  options: { body?: unknown; headers?: Record<string, string>; may?: readonly string[] } = {},
): Promise<HttpResponse> {
  const { body, headers = {}, may = [] } = options;
  const response = await request({ port: service.port, path, method, body, headers });
  responses.push({
    what: `${method} ${path.replace(/\?.*/, '')} ${response.status}`,
    text: `${response.rawHeaders.join('\n')}\n${response.text}`,
    may,
  });
  return response;
}
const admin = (
  method: string,
  path: string,
  body?: unknown,
  { may = [], key }: { may?: readonly string[]; key?: string } = {},
): Promise<HttpResponse> =>
  sendRequest(method, `/admin${path}`, {
    body,
    may,
    headers: {
      authorization: `Bearer ${ADMIN_KEY}`,
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    },
  });

beforeAll(async () => {
  database = await createTestDatabase();
  keep('SECRETS_KEY', SECRETS_KEY, SECRETS_KEY.toString('base64url'));
  keep('API secret', API_SECRET);
  keep('admin key', ADMIN_KEY);
  keep('own signing secret', OWN_SECRET);
  keep('private key', PRIVATE_PEM.split('\n')[1] ?? '', String(PRIVATE_JWK.d));
  keep('password of Postgres', DATABASE_PASSWORD);
  keep('password of Redis', REDIS_PASSWORD);
  collector = await startCollector();
  const variables = {
    ...TEST_VARIABLES,
    ...database.variables,
    ...withPassword(database.variables['DATABASE_URL']),
    CLOUDINARY_URL: `cloudinary://123456789012345:${API_SECRET}@${CLOUD}`,
    ADMIN_API_KEYS: ADMIN_KEY,
    SECRETS_KEY: SECRETS_KEY.toString('base64url'),
    LOG_LEVEL: 'debug',
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    RATE_LIMIT_ADDRESS: '100000',
    // No server listens there: the error must not contain the credentials.
    REDIS_URL: `redis://:${REDIS_PASSWORD}@127.0.0.1:9`,
  };
  host = await startAccountHost();
  cacheFolder = mkdtempSync(join(tmpdir(), 'pixseal-canary-'));
  service = await startServiceProcess({
    ...variables,
    DELIVERY_MODE: 'cloudinary',
    PROXY: 'on',
    PROXY_UPSTREAM: host.origin,
    PROXY_CACHE_DIR: cacheFolder,
  });
  await live();
  service.kill('SIGTERM');
  ended = await service.exited;
  dump = await dumpAll();
  const bad = {
    CLOUDINARY_URL: `cloudinary://1:${API_SECRET}@${CLOUD}?x=${API_SECRET}`,
    ADMIN_API_KEYS: `${ADMIN_KEY} x`,
  };
  const refused = spawnBuilt('server/main.js', { ...variables, ...bad, SECRETS_KEY: API_SECRET, PORT: '0' });
  refusedStart = await refused.exited;
}, 120_000);
afterAll(async () => {
  service.kill('SIGKILL');
  await service.exited;
  await database.drop();
  await collector.close();
  await host.close();
  rmSync(cacheFolder, { recursive: true, force: true });
});

/** Every source of a leak: valid requests, invalid ones, and ones with a secret in the wrong place. */
async function live(): Promise<void> {
  const newIssuer = { may: ['generated signing secret'], key: `${MARKER}.issuers` };
  const created = await admin('POST', '/issuers', { name: MARKER }, newIssuer);
  const issuer = created.json() as { id: string; key: { id: string; secret: string } };
  keep('generated signing secret', issuer.key.secret);
  const again = await admin('POST', '/issuers', { name: MARKER }, newIssuer);
  expect(again.json()).toStrictEqual(created.json());
  const keys = `/issuers/${issuer.id}/keys`;
  await admin('POST', keys, { secret: OWN_SECRET }, { may: ['own signing secret'], key: MARKER });
  const adminKey = (
    await admin(
      'POST',
      '/admin-keys',
      { name: MARKER, scopes: ['read', 'write'] },
      { may: ['generated admin key'], key: MARKER },
    )
  ).json() as { id: string; key: string };
  keep('generated admin key', adminKey.key);
  const image = (
    await admin('POST', '/images', { issuer_id: issuer.id, public_id: MARKER, version: 5 })
  ).json() as { id: string };
  const overlay = (
    await admin('POST', '/overlays', { issuer_id: issuer.id, public_id: `${MARKER}/mark` })
  ).json() as { id: string };
  const revoked = randomUUID();
  await admin('POST', `/issuers/${issuer.id}/revocations`, { jti: revoked });

  const seal = (claims: object = {}, secret = OWN_SECRET): string => {
    const token = signWith(secret, { iss: issuer.id, ...claims });
    keep('token', token, ...token.split('.').slice(1));
    return token;
  };
  const path = (claims?: object, what = ''): string => `/images/${image.id}${what}?token=${seal(claims)}`;
  const steps = [{ overlay: overlay.id }, { width: 7 }];

  const shown = await sendRequest('GET', path({ transformations: steps }), { may: ['signature'] });
  expect(shown.status).toBe(302);
  keep('signature', `s--${parseLocation(shown.headers.location ?? '').signature}--`);
  await sendRequest('HEAD', path({ transformations: steps }), { may: ['signature'] });
  await sendRequest('GET', path({ transformations: steps }, '/explain'), { may: ['signature'] });
  const deliveries = [
    { image_id: image.id, token: seal({ transformations: steps }) },
    { image_id: randomUUID(), token: seal() },
    { image_id: image.id, token: `${seal()}x` },
    { token: 7 },
  ];
  await sendRequest('POST', '/deliveries', { body: { deliveries }, may: ['signature'] });

  for (const claims of [
    { exp: 1 },
    { nbf: 1e10 },
    { iat: 1e10 },
    { exp: 'never' },
    { image_id: 7 },
    { image_id: [randomUUID()] },
    { jti: revoked },
    { transformations: [{ width: -1 }] },
    { transformations: 7 },
    { transformations: [{ overlay: randomUUID() }] },
    { transformations: [{ overlay: 'fetch:x' }] },
    { iss: randomUUID() },
    { iss: 'x' },
  ]) {
    for (const what of ['', '/explain']) await sendRequest('GET', path(claims, what));
  }
  await proxyImages(
    issuer.id,
    path({ transformations: steps }),
    path({ transformations: steps }, '/explain'),
  );
  const token = seal();
  const forged = seal({}, 'z'.repeat(32));
  const bearer = (value: string): { headers: Record<string, string> } => ({
    headers: {
      authorization: `Bearer ${value}`,
      cookie: `token=${value}`,
      referer: `http://x/?token=${value}`,
    },
  });
  for (const each of [token, forged, `${token}x`, token.slice(0, -9)]) {
    await sendRequest('GET', `/images/${randomUUID()}?token=${each}`, bearer(each));
    await sendRequest('GET', `/images/${each}?token=${each}`, bearer(each));
    await sendRequest('GET', `/images/${each}`);
    for (const what of ['', '/explain', '?token=x']) {
      await sendRequest('GET', `/images/${image.id}${what}`, bearer(each));
    }
    await sendRequest('GET', `/images/%zz?token=${each}`);
    await sendRequest('GET', `/${each}?${each}`);
    await sendRequest('GET', '/admin/issuers', bearer(each));
    await sendRequest('GET', `/admin/issuers/${each}`, bearer(adminKey.key));
    await sendRequest('PUT', `/images/${image.id}?token=${each}`);
  }
  for (const wrong of [OWN_SECRET, API_SECRET, issuer.key.secret, `${ADMIN_KEY}x`]) {
    await sendRequest('GET', '/admin/issuers', bearer(wrong));
  }
  await sendRequest('GET', `/images/${image.id}?width=${token}`);
  await sendRequest('GET', `/images/${image.id}?token=${token}&token=${token}`);
  await admin('POST', keys, { secret: `${OWN_SECRET} with a space` });
  await admin('POST', keys, { secret: OWN_SECRET, algorithm: OWN_SECRET });
  await admin('POST', keys, { secret: OWN_SECRET, not_before: 'soon' });
  await admin('POST', keys, { algorithm: 'EdDSA', public_key: PRIVATE_PEM, not_before: null });
  await admin('POST', keys, { algorithm: 'ES256', public_key: PRIVATE_JWK }, { key: `${MARKER}.jwk` });
  await admin('POST', keys, `{"secret":"${OWN_SECRET}"`);
  await admin('POST', '/images', { issuer_id: issuer.id, public_id: MARKER, version: 5 });
  await admin('PATCH', `${keys}/${issuer.key.id}`, { secret: OWN_SECRET });
  await admin('GET', `/issuers/${issuer.id}`);
  await admin('GET', '/admin-keys');
  await admin('DELETE', `${keys}/${issuer.key.id}`);
  for (const bytes of [
    `GET /images/x?token=${token} HTTP/1.1\r\nHost: ${token}/x\r\nConnection: close\r\n\r\n`,
    `GET /images/x?token=${token}${'x'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    `${token}\r\n\r\n`,
  ]) {
    responses.push({ what: 'what cannot be read', text: (await sendRaw(service.port, bytes)).text, may: [] });
  }
  await breakDatabase(issuer.id, seal());
  for (const each of [
    '/health/live',
    '/health/ready',
    '/metrics',
    '/docs',
    '/docs/openapi.json',
    '/nowhere',
  ]) {
    await sendRequest('GET', each);
  }
  const measured = await sendRequest('GET', '/metrics', {
    headers: { authorization: `Bearer ${ADMIN_KEY}` },
  });
  expect(measured.status).toBe(200);
  expect(measured.text).toContain('code="invalid_transformation"');
  const audit = await admin('GET', '/audit?limit=100');
  expect((audit.json() as { items: unknown[] }).items.length).toBeGreaterThan(6);
}

/** The same signed URL, fetched by the service: no client receives it, also if the account's host repeats it. */
async function proxyImages(issuerId: string, path: string, explained: string): Promise<void> {
  const setDelivery = async (delivery: string): Promise<void> => {
    expect((await admin('PATCH', `/issuers/${issuerId}`, { policy: { delivery } })).status).toBe(200);
  };
  await setDelivery('proxy');
  const before = host.requests.length;
  for (const answer of [
    ({ url = '' }: IncomingMessage, response: ServerResponse) =>
      response
        .writeHead(400, { 'X-Cld-Error': `Invalid ${url} of https://res.cloudinary.com${url}: no` })
        .end(),
    (_: IncomingMessage, response: ServerResponse) =>
      response.writeHead(302, { Location: _.url ?? '' }).end(),
    (request: IncomingMessage) => request.socket.destroy(),
    ({ url = '' }: IncomingMessage, response: ServerResponse) =>
      response.writeHead(200, { 'Content-Type': 'text/html' }).end(url),
  ]) {
    host.answer(answer);
    for (const method of ['GET', 'HEAD']) expect((await sendRequest(method, path)).status).toBe(502);
  }
  expect(
    host.requests.slice(before).every(({ url = '' }) => findSecrets(url, secrets).includes('signature')),
  ).toBe(true);
  host.answer(({ url = '' }, response) =>
    response.writeHead(404, { 'X-Cld-Error': `Not found: ${url}` }).end(url),
  );
  expect((await sendRequest('GET', path)).status).toBe(404);
  host.answer(sendPicture);
  for (const headers of [
    {},
    {},
    { range: 'bytes=0-9' },
    { 'if-none-match': '*' },
    { range: 'bytes=9999-' },
  ]) {
    expect((await sendRequest('GET', path, { headers })).status).toBeLessThan(417);
  }
  // URLs are this service's, with the token that the client sent.
  expect((await sendRequest('GET', explained, { may: ['token'] })).status).toBe(200);
  const deliveries = [{ image_id: /images\/([^?]+)/.exec(path)?.[1], token: path.split('token=')[1] }];
  const delivered = await sendRequest('POST', '/deliveries', { body: { deliveries }, may: ['token'] });
  expect(delivered.text).toContain('/images/');
  await setDelivery('redirect');
}

/** A stored secret that was altered, and then no database at all: the driver's errors are logged. */
async function breakDatabase(issuerId: string, token: string): Promise<void> {
  const url = withPassword(database.variables['DATABASE_URL']).DATABASE_URL;
  if (url === undefined) return;
  const server = new URL(url);
  const name = server.pathname.slice(1);
  server.pathname = '/postgres';
  const own = new pg.Client({ connectionString: url });
  await own.connect();
  await own.query(
    'UPDATE issuer_keys SET secret = set_byte(secret, 30, 255 - get_byte(secret, 30)) WHERE issuer_id = $1',
    [issuerId],
  );
  await waitUntil(
    'an altered secret is refused',
    async () => (await sendRequest('GET', `/images/${randomUUID()}?token=${token}`)).status === 503,
  );
  await own.end();
  const client = new pg.Client({ connectionString: server.href });
  await client.connect();
  await client.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
  await client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, [name]);
  await sendRequest('GET', `/images/${randomUUID()}?token=${signWith(OWN_SECRET, { iss: randomUUID() })}`);
  await admin('POST', `/issuers/${issuerId}/keys`, { secret: OWN_SECRET });
  await sendRequest('GET', '/health/ready');
  await client.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
  await client.end();
  await waitUntil('it has recovered', async () => (await sendRequest('GET', '/health/ready')).status === 200);
}

/** The database's URL with a password, which the server does not check. */
function withPassword(url: string | undefined): { DATABASE_URL?: string } {
  if (url === undefined) return {};
  const changed = new URL(url);
  if (changed.password === '') changed.password = DATABASE_PASSWORD;
  return { DATABASE_URL: changed.href };
}

/** The whole database: an operator's dump, or every row if there is no server to dump. */
async function dumpAll(): Promise<string> {
  const { DATABASE_URL: url, DATA_DIR: dataDir = '' } = database.variables;
  if (url !== undefined)
    return execFileSync(findPostgresProgram('pg_dump'), [url], { encoding: 'utf8', maxBuffer: 1e9 });
  const dataSource = await createDataSource({ kind: 'embedded', dataDir });
  await dataSource.initialize();
  try {
    return (await readTables(dataSource)).join('\n');
  } finally {
    await dataSource.destroy();
  }
}

async function readTables(dataSource: DataSource): Promise<string[]> {
  const tables: { name: string }[] = await dataSource.query(
    `SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) AS name FROM information_schema.tables
      WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`,
  );
  const rows: string[] = [];
  for (const { name } of tables) {
    const found: { row: string }[] = await dataSource.query(`SELECT each::text AS row FROM ${name} AS each`);
    rows.push(...found.map(({ row }) => row));
  }
  return rows;
}

describe('the search', () => {
  it('finds a secret in any encoding, and reports no text without one', () => {
    const known = new Map([['key', encodingsOf('se/cret+key=1?')]]);
    const bytes = Buffer.from('se/cret+key=1?');
    const within = (encoding: 'base64' | 'base64url'): string[] =>
      ['', 'a', 'ab', 'abc'].map((before) => Buffer.from(`${before}se/cret+key=1?}"`).toString(encoding));
    for (const text of [
      bytes.toString(),
      bytes.toString('hex'),
      bytes.toString('hex').toUpperCase(),
      encodeURIComponent(bytes.toString()),
      ...within('base64'),
      ...within('base64url'),
    ]) {
      expect(findSecrets(`x${text}x`, known)).toStrictEqual(['key']);
    }
    expect(findSecrets('se/cret key=1?', known)).toStrictEqual([]);
  });
});

describe('no secret, token or signature', () => {
  it('is in a log', () => {
    const written = ended.stdout + ended.stderr;
    expect(written.split('\n').length).toBeGreaterThan(100);
    expect(written).toContain('invalid_transformation');
    expect(findSecrets(written, secrets)).toStrictEqual([]);
  });

  it('is in the output of a service that refuses to start', () => {
    expect(refusedStart.code).not.toBe(0);
    const written = refusedStart.stdout + refusedStart.stderr;
    for (const name of ['CLOUDINARY_URL', 'ADMIN_API_KEYS', 'SECRETS_KEY']) expect(written).toContain(name);
    expect(findSecrets(written, secrets)).toStrictEqual([]);
  });

  it('is in a response, except one that must contain it', () => {
    const shown = responses.map(({ what, text, may }) => ({
      what,
      found: findSecrets(text, secrets).filter((name) => !may.includes(name)),
    }));
    expect(shown.filter(({ found }) => found.length > 0)).toStrictEqual([]);
    // The responses that may contain a secret do contain it: the search would find it.
    const permitted = responses.filter(({ may, what }) => may.length > 0 && !what.startsWith('HEAD'));
    for (const { text, may } of permitted) expect(findSecrets(text, secrets)).toStrictEqual(may);
    expect(new Set(responses.map(({ what }) => what.slice(-3)))).toContain('422');
  });

  it('is in a span', () => {
    expect(collector.spans().length).toBeGreaterThan(50);
    expect(collector.received()).toContain('invalid_transformation');
    expect(findSecrets(collector.received(), secrets)).toStrictEqual([]);
  });

  it('is in the cache of the proxy', () => {
    const files = readdirSync(cacheFolder, { recursive: true, withFileTypes: true }).filter((each) =>
      each.isFile(),
    );
    expect(files).toHaveLength(1);
    for (const { name, parentPath } of files) {
      const text = readFileSync(join(parentPath, name), 'latin1');
      expect(text).toContain('image/jpeg');
      expect(findSecrets(`${name} ${text}`, secrets)).toStrictEqual([]);
    }
  });

  it('is in the database', () => {
    // The dump has whole rows, including the stored responses for repeated requests.
    expect(dump).toContain(`${MARKER}.issuers`);
    expect(findSecrets(dump, secrets)).toStrictEqual([]);
  });
});
