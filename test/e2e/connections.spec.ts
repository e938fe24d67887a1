import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { createPrivateCa, type PrivateCa } from '../support/certificates.js';
import { request } from '../support/http.js';
import { ownClient, ownDatabase, requestAdmin } from '../support/owned.js';
import {
  findPostgresBinaries,
  PASSWORD_METHODS,
  startPostgres,
  type PostgresServer,
} from '../support/postgres-server.js';
import { findRedis, startRedis, waitUntilShared } from '../support/redis-server.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { TEST_VARIABLES } from '../support/service.js';
import { ownProcess, spawnBuilt, type ServiceProcess, warningsOf } from '../support/service-process.js';
import { waitUntil } from '../support/wait-until.js';

const onServer = inject('database').kind === 'postgres';
const binaries = onServer ? findPostgresBinaries() : null;
const redis = onServer ? findRedis() : null;

let ca: PrivateCa;
beforeAll(() => {
  ca = createPrivateCa();
});
afterAll(() => {
  ca.remove();
});

/** What the migrations and a service with these variables do. */
async function migrateAndServe(variables: Readonly<Record<string, string>>): Promise<object> {
  const { code, stderr } = await spawnBuilt('src/platform/database/migration-run.js', variables).exited;
  const service = await ownProcess(variables).catch(String);
  if (typeof service === 'string') return { migration: { code, stderr }, service };
  const { status: created } = await requestAdmin(service, 'POST', '/issuers', { name: 'Served' });
  const { status: ready } = await request({ port: service.port, path: '/health/ready' });
  const served = { created, ready, stderr: service.output().stderr, warnings: warningsOf(service) };
  return { migration: { code, stderr }, service: served };
}

describe.runIf(binaries !== null)('DATABASE_URL with real servers', () => {
  let secured: PostgresServer;
  let misnamed: PostgresServer;
  let plain: PostgresServer;
  beforeAll(async () => {
    const found = binaries ?? { bin: '' };
    [secured, misnamed, plain] = await Promise.all([
      startPostgres(found, ca.local),
      startPostgres(found, ca.other),
      startPostgres(found),
    ]);
    for (const server of [secured, misnamed, plain]) {
      const client = new pg.Client({ connectionString: server.url });
      await client.connect();
      await client.query('CREATE DATABASE secured');
      await client.query('CREATE DATABASE "p/x"');
      await client.query('CREATE ROLE certified LOGIN SUPERUSER');
      for (const method of PASSWORD_METHODS) {
        await client.query(`SET password_encryption = '${method === 'md5' ? 'md5' : 'scram-sha-256'}'`);
        await client.query(`CREATE ROLE "asked-by-${method}" LOGIN SUPERUSER PASSWORD 'p+w'`);
      }
      await client.end();
    }
  });
  afterAll(async () => {
    await Promise.all([secured, misnamed, plain].map((server) => server.stop()));
  });
  const urlOf = (server: PostgresServer, query: string): string => {
    const url = new URL(server.url);
    url.pathname = '/secured';
    return `${url.href}${query}`;
  };

  it.each<readonly [name: string, url: () => string]>([
    ['the CA and sslmode=require', () => urlOf(secured, `?sslmode=require&sslrootcert=${ca.ca}`)],
    ['the CA and sslmode=verify-ca', () => urlOf(secured, `?sslmode=verify-ca&sslrootcert=${ca.ca}`)],
    ['the CA and sslmode=verify-full', () => urlOf(secured, `?sslmode=verify-full&sslrootcert=${ca.ca}`)],
    ['the CA alone', () => urlOf(secured, `?sslrootcert=${ca.ca}`)],
    [
      'a certificate of the client',
      () =>
        urlOf(
          secured,
          `?sslmode=verify-full&sslrootcert=${ca.ca}&sslcert=${ca.client.certificate}&sslkey=${ca.client.key}`,
        ).replace('postgres@', 'certified@'),
    ],
    [
      'the second of two hosts, by verified TLS',
      () =>
        urlOf(secured, `?target_session_attrs=read-write&sslmode=verify-full&sslrootcert=${ca.ca}`).replace(
          '@',
          '@127.0.0.1:1,',
        ),
    ],
    ['sslmode=no-verify', () => urlOf(secured, '?sslmode=no-verify')],
    ['sslmode=disable where TLS is not required', () => urlOf(plain, '?sslmode=disable')],
    ...PASSWORD_METHODS.map(
      (method) =>
        [
          `a password among the parameters, by ${method}`,
          () => urlOf(plain, '?password=p+w').replace('postgres@', `asked-by-${method}@`),
        ] as const,
    ),
    ['an encoded slash in the database', () => urlOf(plain, '').replace('/secured', '/p%2Fx')],
    ['an encoded slash in dbname', () => urlOf(plain, '?dbname=p%2Fx').replace('/secured', '/')],
    [
      'a socket, in the form of Cloud SQL',
      () => {
        const { port } = new URL(plain.url);
        return `postgres://postgres:pw@/secured?host=${plain.socketFolder ?? ''}&port=${port}`;
      },
    ],
    [
      'a socket, in the host',
      () => {
        const { port } = new URL(plain.url);
        return `postgresql://postgres@${encodeURIComponent(plain.socketFolder ?? '')}:${port}/secured?sslmode=require`;
      },
    ],
  ])('migrates and serves with %s, and logs no warning', async (_, url) => {
    const variables = { ...TEST_VARIABLES, DATABASE_URL: url(), LOG_LEVEL: 'warn' };
    const isBusy = (outcome: object): boolean => /timeout|503/.test(JSON.stringify(outcome));
    let outcome = await migrateAndServe(variables);
    // The service waits 900 ms for a connection, and a busy machine may need longer to open one.
    for (let repeat = 0; repeat < 2 && isBusy(outcome); repeat += 1)
      outcome = await migrateAndServe(variables);
    expect(outcome).toStrictEqual({
      migration: { code: 0, stderr: '' },
      service: { created: 201, ready: 200, stderr: '', warnings: [] },
    });
  });

  const untrusted =
    'DATABASE_URL leads to a server with a certificate that this machine does not trust (self-signed certificate in certificate chain). ' +
    'Add sslrootcert=/path/ca.pem, the CA of the provider. ' +
    'sslmode=no-verify accepts any certificate, also that of an attacker on the network';
  it.each<readonly [name: string, url: () => string, reason: RegExp | string]>([
    ['a private CA that is not configured', () => urlOf(secured, '?sslmode=require'), untrusted],
    [
      'a private CA that is not configured, and verify-full',
      () => urlOf(secured, '?sslmode=verify-full'),
      untrusted,
    ],
    [
      'a certificate for another host',
      () => urlOf(misnamed, `?sslmode=require&sslrootcert=${ca.ca}`),
      /^DATABASE_URL leads to a server with a certificate for another host name \(.*127\.0\.0\.1.*\)\. Use a host name of the certificate$/,
    ],
    [
      'a certificate for another host, as the second of two hosts',
      () =>
        urlOf(misnamed, `?target_session_attrs=read-write&sslmode=verify-full&sslrootcert=${ca.ca}`).replace(
          '@',
          '@127.0.0.1:1,',
        ),
      /^DATABASE_URL leads to a server with a certificate for another host name \(.*127\.0\.0\.1.*\)\. Use a host name of the certificate$/,
    ],
    [
      'several hosts, of which any would be used',
      () => urlOf(plain, '').replace('@', '@127.0.0.1:1,'),
      'The environment cannot be used:\n  - DATABASE_URL names several hosts: add target_session_attrs=read-write, because the service writes',
    ],
    [
      'a server without TLS',
      () => urlOf(plain, '?sslmode=require'),
      'DATABASE_URL requires TLS, which the server does not offer. ' +
        'sslmode=disable connects without encryption: use it within a private network only',
    ],
    [
      'a server that requires TLS',
      () => urlOf(secured, ''),
      /^DATABASE_URL leads to a server that requires TLS \(.*no encryption\)\. Add sslmode=verify-full$/,
    ],
    [
      'an unknown sslmode',
      () => urlOf(secured, '?sslmode=bogus'),
      'The environment cannot be used:\n  - DATABASE_URL has an unknown sslmode: use disable, require, verify-ca, verify-full, no-verify',
    ],
    [
      'a misspelled sslmode',
      () => urlOf(plain, '?sslmod=require'),
      'The environment cannot be used:\n  - DATABASE_URL has the unknown parameter sslmod: check its spelling, the names are those of libpq, in lower case',
    ],
    [
      'two values of sslmode',
      () => urlOf(secured, '?sslmode=verify-full&sslmode=no-verify'),
      'The environment cannot be used:\n  - DATABASE_URL repeats the parameter sslmode: set it once',
    ],
    ...PASSWORD_METHODS.map(
      (method) =>
        [
          `no password, which the server requires by ${method}`,
          () => urlOf(plain, '').replace('postgres@', `asked-by-${method}@`),
          'DATABASE_URL has no password, and the server requires one',
        ] as const,
    ),
    [
      'a file that is missing',
      () => urlOf(secured, '?sslmode=require&sslrootcert=/nonexistent.crt'),
      'The environment cannot be used:\n  - DATABASE_URL has a parameter sslrootcert whose file cannot be read (ENOENT)',
    ],
  ])('is reported at the start with %s, and what to do', async (_, url, reason) => {
    const variables = { ...TEST_VARIABLES, DATABASE_URL: url() };
    const [service, migration] = await Promise.all([
      spawnBuilt('server/main.js', variables).exited,
      spawnBuilt('src/platform/database/migration-run.js', variables).exited,
    ]);
    for (const [{ code, stderr }, beginning] of [
      [service, 'Pixseal did not start. '],
      [migration, 'The migrations did not run. '],
    ] as const) {
      expect(code).toBe(1);
      expect(stderr.startsWith(beginning)).toBe(true);
      const text = stderr.slice(beginning.length).trimEnd();
      if (typeof reason === 'string') expect(text).toBe(reason);
      else expect(text).toMatch(reason);
    }
  });
});

describe.runIf(binaries !== null)('the pool', () => {
  it('opens connections as they are needed, at most DATABASE_MAX_CONNECTIONS, and closes them again', async () => {
    const database = await ownDatabase();
    const service = await ownProcess({
      ...TEST_VARIABLES,
      ...database.variables,
      DATABASE_MAX_CONNECTIONS: '3',
    });
    const [operator, blocker] = [await ownClient(database), await ownClient(database)];
    const open = async (): Promise<number> => {
      const { rowCount } = await operator.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pixseal'`,
      );
      return rowCount ?? 0;
    };
    expect(await open()).toBeLessThanOrEqual(1);
    // Every list waits inside Postgres.
    await blocker.query('BEGIN');
    await blocker.query('LOCK TABLE images');
    const lists = Array.from({ length: 10 }, () => requestAdmin(service, 'GET', '/images'));
    await waitUntil('all are open', async () => (await open()) === 3);
    await blocker.query('COMMIT');
    const statuses = (await Promise.all(lists)).map(({ status }) => status);
    expect(statuses.every((status) => status === 200 || status === 503)).toBe(true);
    expect(await open()).toBe(3);
    await waitUntil('unused ones are closed', async () => (await open()) === 0, 20_000);
    expect((await requestAdmin(service, 'GET', '/images')).status).toBe(200);
    expect(await open()).toBe(1);
  });
});

describe.runIf(redis !== null)('REDIS_URL with real servers', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  const startReplica = (variables: Readonly<Record<string, string>>): Promise<ServiceProcess> =>
    ownProcess({
      ...TEST_VARIABLES,
      ...database.variables,
      LOG_LEVEL: 'warn',
      RATE_LIMIT_ADDRESS: '6000',
      ...variables,
    });

  it('of a private CA is accepted with NODE_EXTRA_CA_CERTS, and reported without', async () => {
    const server = await startRedis(redis ?? '', undefined, [], ca.local);
    onTestFinished(() => server.stop());
    const trusting = { REDIS_URL: server.url, NODE_EXTRA_CA_CERTS: ca.ca, TRUST_PROXY: '1' };
    const replica = await startReplica(trusting);
    const status = async ({ port }: ServiceProcess): Promise<number> =>
      (await request({ port, path: '/nothing', headers: { 'x-forwarded-for': '192.0.2.1' } })).status;
    await waitUntilShared(server, 'address:192.0.2.1', () => status(replica));
    expect(warningsOf(replica)).toStrictEqual([]);

    const untrusting = await startReplica({ REDIS_URL: server.url });
    const reason =
      'Redis does not respond (unable to verify the first certificate; the file that NODE_EXTRA_CA_CERTS names ' +
      'at the start adds the CA of its certificate)';
    await waitUntil('both counters log it', () => warningsOf(untrusting).length > 1);
    expect(warningsOf(untrusting).toSorted()).toStrictEqual([
      `${reason}: new pictures of issuers with a budget, and tokens with max_uses, are refused`,
      `${reason}: rates are counted in this process alone`,
    ]);
    expect(await status(untrusting)).toBe(404);
  });
});
