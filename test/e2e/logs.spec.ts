import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { request, sendRaw, type HttpResponse } from '../support/http.js';
import { assertLocation } from '../support/location-parser.js';
import { signWith } from '../support/seed.js';
import { ownDatabase } from '../support/owned.js';
import {
  ownProcess,
  startServiceProcess,
  type ProcessExit,
  type ServiceProcess,
} from '../support/service-process.js';
import { ADMIN_KEY, API_SECRET, TEST_VARIABLES } from '../support/service.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { waitUntil } from '../support/wait-until.js';

/** A part of every value that a log must not contain. */
const CANARY = 'canary-bird-4711';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

let database: TestDatabase;
let service: ServiceProcess;
let ended: ProcessExit;
/** Values created while the service ran that a log must not contain either. */
const secrets: string[] = [];
const locations: string[] = [];
const ids = { issuer: '', image: '' };

const sendRequest = (
  path: string,
  requestId: string,
  headers: Record<string, string> = {},
): Promise<HttpResponse> =>
  request({ port: service.port, path, headers: { 'x-request-id': requestId, ...headers } });
const admin = (method: string, path: string, requestId: string, body?: unknown): Promise<HttpResponse> =>
  request({
    port: service.port,
    path: `/admin${path}`,
    method,
    body,
    headers: { 'x-request-id': requestId, authorization: `Bearer ${ADMIN_KEY}` },
  });

beforeAll(async () => {
  database = await createTestDatabase();
  service = await startServiceProcess({
    ...TEST_VARIABLES,
    ...database.variables,
    LOG_LEVEL: 'debug',
    RATE_LIMIT_ADDRESS: '6000',
  });
  const issuer = (await admin('POST', '/issuers', 'made-issuer', { name: CANARY })).json() as {
    id: string;
    key: { id: string; secret: string; dsn: string };
  };
  ids.issuer = issuer.id;
  secrets.push(issuer.key.secret, issuer.key.dsn);
  const image = (
    await admin('POST', '/images', 'made-image', { issuer_id: issuer.id, public_id: CANARY, version: 5 })
  ).json() as { id: string };
  ids.image = image.id;
  const seal = (claims: object): string => {
    const token = signWith(issuer.key.secret, { iss: issuer.id, note: CANARY, ...claims });
    secrets.push(...token.split('.').slice(1));
    return token;
  };

  const shown = await sendRequest(
    `/images/${image.id}?token=${seal({ transformations: [{ width: 5 }] })}`,
    'shown',
    {
      cookie: `session=${CANARY}`,
      'user-agent': CANARY,
      referer: `http://x/${CANARY}`,
      'X-Forwarded-For': CANARY,
    },
  );
  await sendRequest('/health/live', 'live-by-proxy', { 'X-Forwarded-For': CANARY });
  const { signature } = assertLocation(shown.headers.location ?? '', {
    images: [CANARY],
    layers: [],
    steps: 1,
  });
  locations.push(shown.headers.location ?? '', signature);
  const explained = await sendRequest(`/images/${image.id}/explain?token=${seal({})}`, 'explained');
  locations.push((explained.json() as { location: string }).location);
  await sendRequest(`/images/${image.id}?token=${seal({})}x`, 'refused');
  await sendRequest(`/images/${image.id}?token=${seal({ exp: 1 })}`, 'expired');
  await sendRequest(
    `/images/${image.id}?token=${seal({ transformations: [{ width: CANARY }] })}`,
    'bad-step',
  );
  await sendRequest(`/images/${image.id}?width=${CANARY}`, 'no-token');
  await sendRequest(`/images/${CANARY}?token=${seal({})}`, 'bad-id');
  await sendRequest(`/images/%zz${CANARY}?token=${seal({})}`, 'unreadable');
  await sendRequest(`/${CANARY}?${CANARY}`, 'nowhere');
  await sendRequest('/health/live', 'live');
  await sendRequest(`/admin/issuers?name=${CANARY}`, 'no-admin', { authorization: `Bearer ${CANARY}` });
  await admin('POST', `/issuers/${issuer.id}/keys`, 'made-key', { secret: CANARY.repeat(3) });
  await admin('POST', `/issuers/${issuer.id}/keys`, 'short-secret', { secret: CANARY });
  await admin('POST', '/images', 'conflict', { issuer_id: issuer.id, public_id: CANARY, version: 5 });
  await admin('POST', '/issuers', 'no-json', `{"name":"${CANARY}`);
  await request({
    port: service.port,
    path: '/deliveries',
    method: 'POST',
    headers: { 'x-request-id': 'delivered' },
    body: {
      deliveries: [
        { image_id: image.id, token: seal({}) },
        { image_id: CANARY, token: CANARY },
      ],
    },
  });
  await sendRaw(
    service.port,
    `GET /images/${CANARY} HTTP/1.1\r\nHost: ${CANARY}/x\r\nConnection: close\r\n\r\n`,
  );
  const twice = `Host: ${CANARY}\r\nHost: ${CANARY}\r\n`;
  for (const [id, host] of [
    ['no-host', ''],
    ['two-hosts', twice],
  ] as const) {
    await sendRaw(
      service.port,
      `GET /${CANARY} HTTP/1.1\r\n${host}X-Request-Id: ${id}\r\nConnection: close\r\n\r\n`,
    );
  }
  await sendRaw(service.port, `${CANARY}\r\n\r\n`);
  await sendRaw(service.port, `GET /${CANARY.repeat(2000)} HTTP/1.1\r\nHost: x\r\n\r\n`);
  if (inject('database').kind === 'postgres') await disconnectDatabase(seal({}));
  await sendRequest(`/images/${image.id}`, 'last');
  service.kill('SIGTERM');
  ended = await service.exited;
}, 120_000);
afterAll(() => database.drop());

/** An uncached look-up while the database fails, so that a driver's error is logged. */
async function disconnectDatabase(token: string): Promise<void> {
  const url = new URL(database.variables['DATABASE_URL'] ?? '');
  const name = url.pathname.slice(1);
  url.pathname = '/postgres';
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  await client.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
  await client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, [name]);
  const uncached = await sendRequest(`/images/${randomUUID()}?token=${token}`, 'lost');
  await client.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
  await client.end();
  expect(uncached.status).toBe(503);
}

const lines = (): Record<string, unknown>[] =>
  ended.stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('the log', () => {
  it('is JSON, with one line for each event', () => {
    const welcome = inject('database').kind === 'embedded';
    const others = ended.stdout.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
    // Embedded, it also prints a message for people.
    if (!welcome) expect(others).toStrictEqual([]);
    expect(ended.stderr).toBe('');
    expect(lines().length).toBeGreaterThan(20);
    for (const line of lines()) {
      expect(line).toMatchObject({
        level: expect.stringMatching(/^(debug|info|warn|error)$/) as string,
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
        msg: expect.any(String) as string,
      });
    }
  });

  it.each<
    [
      id: string,
      method: string,
      route: string | null,
      status: number,
      issuer: boolean,
      problem: string | null,
    ]
  >([
    ['made-issuer', 'POST', '/admin/issuers', 201, false, null],
    ['made-image', 'POST', '/admin/images', 201, false, null],
    ['shown', 'GET', '/images/:image_id', 302, true, null],
    ['explained', 'GET', '/images/:image_id/explain', 200, true, null],
    ['refused', 'GET', '/images/:image_id', 401, false, 'invalid_token'],
    ['expired', 'GET', '/images/:image_id', 401, false, 'invalid_token'],
    ['bad-step', 'GET', '/images/:image_id', 422, true, 'invalid_transformation'],
    ['no-token', 'GET', '/images/:image_id', 401, false, 'token_required'],
    ['bad-id', 'GET', '/images/:image_id', 400, true, 'invalid_image_id'],
    ['unreadable', 'GET', null, 400, false, 'bad_request'],
    ['nowhere', 'GET', null, 404, false, 'not_found'],
    ['no-host', 'GET', null, 400, false, 'invalid_host'],
    ['two-hosts', 'GET', null, 400, false, 'invalid_host'],
    ['live', 'GET', '/health/live', 200, false, null],
    ['no-admin', 'GET', '/admin/issuers', 401, false, 'admin_key_required'],
    ['made-key', 'POST', '/admin/issuers/:id/keys', 201, false, null],
    ['short-secret', 'POST', '/admin/issuers/:id/keys', 422, false, 'invalid_request'],
    ['conflict', 'POST', '/admin/images', 409, false, 'public_id_taken'],
    ['no-json', 'POST', '/admin/issuers', 400, false, 'bad_request'],
    ['delivered', 'POST', '/deliveries', 200, false, null],
  ])('has the status of the request %s', (id, method, route, status, issuer, problem) => {
    const found = lines().filter((line) => line['request_id'] === id);
    expect(found).toStrictEqual([
      {
        level: 'info',
        time: expect.any(String) as string,
        request_id: id,
        method,
        route,
        status,
        ms: expect.any(Number) as number,
        issuer_id: issuer ? ids.issuer : null,
        problem_code: problem,
        msg: 'request',
      },
    ]);
  });

  it('has a generated id for a request without one, and a valid time', () => {
    const requests = lines().filter(({ msg }) => msg === 'request');
    // A malformed request has no measured time.
    for (const { route, ms } of requests) if (route !== null) expect(ms).toBeGreaterThan(0);
    const created = requests.filter(({ request_id }) => UUID.test(String(request_id)));
    expect(created.length).toBeGreaterThan(0);
  });

  it('warns once about an untrusted proxy, also on a redirect', () => {
    const warnings = lines().filter(({ msg }) => String(msg).includes('TRUST_PROXY'));
    expect(warnings).toMatchObject([{ level: 'warn' }]);
    const [shown, warned] = [
      lines().findIndex((line) => line['request_id'] === 'shown'),
      lines().findIndex(({ msg }) => String(msg).includes('TRUST_PROXY')),
    ];
    expect(warned).toBe(shown - 1);
  });

  it.runIf(inject('database').kind === 'postgres')('reports a lost database connection', () => {
    const warnings = lines().filter(({ level }) => level === 'error' || level === 'warn');
    expect(warnings.length).toBeGreaterThan(0);
    expect(lines()).toContainEqual(
      expect.objectContaining({ request_id: 'lost', status: 503, problem_code: 'database_unavailable' }),
    );
  });

  it('contains no token, secret, query, body, header or signed URL', () => {
    const written = ended.stdout + ended.stderr;
    const forbidden = [
      CANARY,
      ADMIN_KEY,
      API_SECRET,
      TEST_VARIABLES.SECRETS_KEY,
      ...secrets,
      ...locations,
      // Embedded, the demo's own URL is printed: the one token that is meant for people.
      'https://res.cloudinary.com',
      's--',
    ];
    expect(secrets.length).toBeGreaterThan(10);
    expect(forbidden.filter((value) => value === '')).toStrictEqual([]);
    expect(forbidden.filter((value) => written.includes(value))).toStrictEqual([]);
  });
});

/** Throws outside of any handler at this signal. */
const CRASH =
  'data:text/javascript,' +
  encodeURIComponent("process.on('SIGUSR2', () => { throw new Error('crash'); });").replaceAll("'", '%27');

describe('the lines of requests', () => {
  const start = async (): Promise<ServiceProcess> => {
    const own = await ownDatabase();
    return ownProcess({
      ...TEST_VARIABLES,
      ...own.variables,
      LOG_LEVEL: 'info',
      NODE_OPTIONS: `--import=${CRASH}`,
    });
  };
  const send = async ({ port }: ServiceProcess): Promise<string> => {
    const id = randomUUID();
    await request({ port, path: '/health/ready', headers: { 'x-request-id': id } });
    return id;
  };
  const hasLine = (stdout: string, id: string): boolean =>
    stdout.split('\n').some((line) => line.includes(id) && line.endsWith('"msg":"request"}'));

  it('are written while the service runs, although a batch is not full', async () => {
    const running = await start();
    const id = await send(running);
    await waitUntil('the line is written', () => hasLine(running.output().stdout, id));
  });

  it.each<[NodeJS.Signals, what: string, code: number]>([
    ['SIGTERM', 'stops', 0],
    ['SIGUSR2', 'crashes', 1],
  ])('are written when the service receives %s and %s', async (signal, _, code) => {
    const running = await start();
    const ids = await Promise.all(Array.from({ length: 20 }, () => send(running)));
    running.kill(signal);
    const exited = await running.exited;
    expect(exited.code).toBe(code);
    expect(ids.filter((id) => !hasLine(exited.stdout, id))).toStrictEqual([]);
  });
});
