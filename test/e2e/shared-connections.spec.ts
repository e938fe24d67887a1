import { readdirSync, readFileSync } from 'node:fs';
import { v2 as cloudinary } from 'cloudinary';
import { built } from '../support/built.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { converse, splitResponses, type Piece, type WireResponse } from '../support/connection.js';
import { findNode24 } from '../support/node-versions.js';
import { requestAdmin, createServedImage, type ServedImage } from '../support/owned.js';
import { photo } from '../support/pictures.js';
import { startServiceProcess, type ServiceProcess } from '../support/service-process.js';
import { ADMIN_KEY, API_SECRET, CLOUD, TEST_VARIABLES } from '../support/service.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

/** Milliseconds between two writes that the server must read one by one. */
const APART = 80;
const KEYED = { Authorization: `Bearer ${ADMIN_KEY}` };
const UNKNOWN = '00000000-0000-4000-8000-000000000000';
/** Trailers that would change the next request, and must not. */
const TRAILERS = {
  Authorization: 'Bearer from-a-trailer',
  Host: 'evil.example',
  'X-Request-Id': 'from-a-trailer',
  'X-Forwarded-For': '192.0.2.1',
  Cookie: 'pixseal_console=from-a-trailer',
};
/** The same with an unrestricted key, for a request without one. */
const KEYED_TRAILERS = { ...TRAILERS, ...KEYED };

interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Nothing where absent. */
  readonly json?: string;
}

/** Values for the paths of this file. */
interface Rows {
  readonly image: ServedImage;
  readonly publicId: string;
  readonly overlayId: string;
  readonly adminKeyId: string;
  readonly revocationId: string;
}

/** One service with its rows. */
interface Running {
  readonly service: ServiceProcess;
  readonly rows: Rows;
}

const description = JSON.parse(readFileSync('docs/openapi.json', 'utf8')) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
};

/** A described path with ids of existing rows. */
function fill(path: string, { image, overlayId, adminKeyId, revocationId }: Rows): string {
  if (path === '/images/{image_id}/explain') return image.path().replace('?', '/explain?');
  if (path === '/images/{image_id}') return image.path();
  const id = path.startsWith('/admin/issuers')
    ? image.issuerId
    : path.startsWith('/admin/overlays')
      ? overlayId
      : path.startsWith('/admin/admin-keys')
        ? adminKeyId
        : image.imageId;
  return path.replace('{id}', id).replace('{revocation_id}', revocationId).replace('{key_id}', UNKNOWN);
}

const sign = (publicId: string): string =>
  cloudinary
    .url(publicId, {
      ...{ raw_transformation: 'c_fit,w_20', type: 'authenticated', version: '5', format: 'jpg' },
      ...{ sign_url: true, secure: true, cloud_name: CLOUD, api_secret: API_SECRET, urlAnalytics: false },
    })
    .replace('https://res.cloudinary.com', '');

/** Paths that OpenAPI does not describe, and refusals of redirects. */
const OTHERS: Readonly<Record<string, (rows: Rows) => string>> = {
  'a redirect that is cached': ({ image }) => image.path({ transformations: [{ width: 6 }] }),
  'a refused token (401)': ({ image }) => `${image.path()}AA`,
  'an unknown image (404)': ({ image }) => image.path({ image_id: UNKNOWN }),
  'a refused step (422)': ({ image }) => image.path({ transformations: [{ width: 'wide' }] }),
  'a redirect with an encoded query': ({ image }) => `${image.path()}&`,
  'a public image': ({ publicId }) => `/images/${publicId}?width=5`,
  'a rendered image': () => sign('served'),
  'a rendered image with a bad signature (401)': () => sign('served').replace('w_20', 'w_21'),
  'the playground': () => '/playground',
  'the playground’s vocabulary': () => '/playground/vocabulary.json',
  'the console': () => '/console',
  'a page’s asset': () => `/web/assets/${readdirSync(built('web/assets'))[0]}`,
  'the documentation': () => '/docs',
  'the OpenAPI document': () => '/docs/openapi.json',
  'no route (404)': () => '/nowhere',
  'a path that no router reads (400)': () => '/images/%zz',
};

const READS = ['GET', 'HEAD'];
/** Every operation with its body, and every read, with GET and HEAD. */
const FIRST: readonly (readonly [name: string, createOne: (rows: Rows) => Request])[] = [
  ...Object.entries(description.paths).flatMap(([path, operations]) =>
    Object.keys(operations).flatMap((operation) => {
      const methods = operation === 'get' ? READS : [operation.toUpperCase()];
      // Nothing is written: the other rows do not change.
      const keys = operation === 'get' && !path.startsWith('/images/') ? [KEYED, {}] : [{}];
      return methods.flatMap((method) =>
        keys.map((headers) => {
          const name = `${method} ${path}${headers === KEYED ? ' with a key' : ''}`;
          const json = READS.includes(method) ? {} : { json: '{}' };
          return [
            name,
            (rows: Rows): Request => ({ method, path: fill(path, rows), headers, ...json }),
          ] as const;
        }),
      );
    }),
  ),
  ...Object.entries(OTHERS).flatMap(([name, path]) =>
    READS.map(
      (method) => [`${method}: ${name}`, (rows: Rows): Request => ({ method, path: path(rows) })] as const,
    ),
  ),
];

/** The next request on the connection: its response shows any change by a trailer. */
/** 422 with a key and 401 without one, neither of which needs the database. */
const ADMIN_PATH = '/admin/images?limit=none';
const withoutKey = (): Request => ({ method: 'GET', path: ADMIN_PATH });
const NEXT: Readonly<Record<string, (rows: Rows) => Request>> = {
  'the admin API with a key': () => ({ method: 'GET', path: ADMIN_PATH, headers: KEYED }),
  'the admin API without a key': withoutKey,
  'a redirect to the Host': ({ image }) => ({ method: 'GET', path: image.path() }),
  'a redirect to HEAD, the whole URL its own': ({ image }) => ({
    method: 'HEAD',
    path: image.path({ transformations: [{ width: 7 }] }),
  }),
};

const fields = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`X-Field-${index}`, 'value']));

/** As many as fit into 16 KiB. */
const shortFields = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [index.toString(36), '']));

const writeFields = (headers: Readonly<Record<string, string>>): string =>
  Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');

function writeHead(
  { method, path, headers = {}, json }: Request,
  more: Readonly<Record<string, string>>,
): string {
  const typed = json === undefined ? {} : { 'Content-Type': 'application/json' };
  const all = { Host: 'pixseal.test', ...headers, ...typed, ...more };
  return `${method} ${path} HTTP/1.1\r\n${writeFields(all)}\r\n`;
}

function writeChunks({ json }: Request, trailers: Readonly<Record<string, string>>): string {
  const chunk = json === undefined ? '' : `${json.length.toString(16)}\r\n${json}\r\n`;
  return `${chunk}0\r\n${writeFields(trailers)}\r\n`;
}

/** The parts that two responses to one request have in common. */
function constant({ status, headers, body }: WireResponse): unknown {
  const lines = headers.map((line) =>
    line
      // A generated id, since the request has none.
      .replace(/^(x-request-id): [\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i, '$1: own')
      .replace(/^(x-runtime|date): .*$/i, '$1: …'),
  );
  return { status, headers: lines, body };
}

const CLOSE = { Connection: 'close' };

async function requestAlone(port: number, request: Request): Promise<WireResponse> {
  const { json = '' } = request;
  const length = json === '' ? {} : { 'Content-Length': String(json.length) };
  const text = await converse(port, [writeHead(request, { ...length, ...CLOSE }) + json]);
  const [response, ...others] = splitResponses(text, [request.method]);
  expect(others).toStrictEqual([]);
  if (response === undefined) throw new Error(`No response to ${request.method} ${request.path}`);
  return response;
}

const PACES: Readonly<Record<string, (head: string, body: string, next: string) => readonly Piece[]>> = {
  pipelined: (head, body, next) => [head + body + next],
  'one after the other': (head, body, next) => [head + body, APART, next],
  'body and trailers after the response': (head, body, next) => [head, APART, body, APART, next],
  'trailers with the next': (head, body, next) => [head, APART, body + next],
};

const versions = Object.entries({ [process.version]: process.execPath, 'v24 of Node': findNode24() }).flatMap(
  ([version, node]) => (node === null ? [] : [[version, node] as const]),
);

describe.each(versions)('on %s, a request that follows another’s body', (_, node) => {
  let database: TestDatabase;
  let running: Running;

  beforeAll(async () => {
    database = await createTestDatabase();
    const service = await startServiceProcess(
      {
        ...TEST_VARIABLES,
        ...database.variables,
        ...{ DELIVERY_MODE: 'local', PLAYGROUND: 'on', CONSOLE: 'on' },
      },
      undefined,
      node,
    );
    running = { service, rows: await createRows(service) };
  });
  afterAll(async () => {
    running.service.kill('SIGKILL');
    await running.service.exited;
    await database.drop();
  });

  it.each(FIRST)('is read as if alone behind trailers: %s', async (_name, createOne) => {
    const { rows, service } = running;
    const first = createOne(rows);
    const cases = Object.entries(NEXT).flatMap(([next, createNext]) =>
      [0, 40].flatMap((before) =>
        [0, 40].flatMap((after) =>
          [false, true].flatMap((announced) =>
            Object.entries(PACES).map(([pace, write]) => ({
              next,
              createNext,
              before,
              after,
              announced,
              pace,
              write,
            })),
          ),
        ),
      ),
    );
    const expected = new Map<string, unknown>();
    for (const [name, createNext] of Object.entries(NEXT)) {
      expected.set(name, constant(await requestAlone(service.port, createNext(rows))));
    }
    const { status } = await requestAlone(service.port, first);
    await Promise.all(
      cases.map(async ({ next, createNext, before, after, announced, pace, write }) => {
        const trailers = next === 'the admin API without a key' ? KEYED_TRAILERS : TRAILERS;
        const second = createNext(rows);
        const head = writeHead(first, {
          ...fields(before),
          'Transfer-Encoding': 'chunked',
          ...(announced ? { Trailer: Object.keys(trailers).join(', ') } : {}),
        });
        const text = await converse(
          service.port,
          write(head, writeChunks(first, trailers), writeHead(second, { ...fields(after), ...CLOSE })),
        );
        const label = JSON.stringify({ next, before, after, announced, pace });
        const responses = splitResponses(text, [first.method, second.method]);
        expect(responses.map((response) => response.status).slice(0, 1), label).toStrictEqual([status]);
        expect(responses.slice(1).map(constant), label).toStrictEqual([expected.get(next)]);
      }),
    );
  });

  const whole = '5\r\nhello\r\n0\r\nX-Request-Id: from-a-trailer\r\n\r\n';
  it.concurrent.each<readonly [name: string, headers: Readonly<Record<string, string>>, body: string]>([
    ['a length', { 'Content-Length': '5' }, 'hello'],
    ['a length of 0', { 'Content-Length': '0' }, ''],
    ['a length of 00', { 'Content-Length': '00' }, ''],
    ['a coding in capitals', { 'TRANSFER-ENCODING': 'Chunked' }, whole],
    ['two codings', { 'Transfer-Encoding': 'gzip, chunked' }, whole],
    ['an expectation', { Expect: '100-continue', 'Transfer-Encoding': 'chunked' }, whole],
    ['an expectation without a body', { Expect: '100-continue' }, ''],
    ['trailers that do not come', { Trailer: 'Authorization', TE: 'trailers' }, ''],
    // Node reads 2,000 fields by default, and its body whatever is announced after them.
    ['a coding behind 2,100 fields', { ...shortFields(2_100), 'Transfer-Encoding': 'chunked' }, whole],
    ['a length behind 2,100 fields', { ...shortFields(2_100), 'Content-Length': '5' }, 'hello'],
  ])('is read as if alone behind a redirect with %s', async (_name, headers, body) => {
    const { rows, service } = running;
    const expected = constant(await requestAlone(service.port, withoutKey()));
    for (const method of READS) {
      const head = writeHead({ method, path: rows.image.path() }, headers);
      const last = writeHead(withoutKey(), CLOSE);
      for (const write of Object.values(PACES)) {
        const responses = splitResponses(await converse(service.port, write(head, body, last)), [method]);
        expect(responses.map(({ status }) => status)).toStrictEqual([302, 401]);
        expect(responses.slice(1).map(constant)).toStrictEqual([expected]);
      }
    }
  });

  it.concurrent.each<readonly [name: string, path: (rows: Rows) => string]>([
    ['a health check', () => '/health/live'],
    ['a redirect', ({ image }) => image.path()],
    // Its response waits for the database.
    ['an admin route', ({ image }) => `/admin/images/${image.imageId}`],
    ['a path that no router reads', () => '/images/%zz'],
  ])('is not carried out behind one whose response closes the connection: %s', async (_name, path) => {
    const { rows, service } = running;
    const first = { method: 'GET', path: path(rows), headers: KEYED };
    const { status } = await requestAlone(service.port, first);
    for (const offer of [{ Upgrade: 'h2c' }, { Connection: 'Upgrade', Upgrade: 'h2c' }, CLOSE]) {
      for (const [pace, write] of Object.entries(PACES)) {
        const { id } = await create(service, '/issuers', { name: 'Kept' });
        const remove = { method: 'DELETE', path: `/admin/issuers/${id}`, headers: KEYED };
        const pieces = write(writeHead(first, offer), '', writeHead(remove, {}).repeat(2));
        const responses = splitResponses(await converse(service.port, pieces), ['GET']);
        const label = JSON.stringify({ offer, pace });
        expect(
          responses.map((response) => response.status),
          label,
        ).toStrictEqual([status]);
        expect(responses[0]?.headers, label).toContain('Connection: close');
        await new Promise((passed) => setTimeout(passed, APART));
        expect((await requestAdmin(service, 'GET', `/issuers/${id}`)).status, label).toBe(200);
      }
    }
  });

  // Node drops the bytes after an upgrade offer that is not accepted.
  it.concurrent.each<readonly [name: string, path: (rows: Rows) => string]>([
    ['a redirect', ({ image }) => image.path()],
    ['an admin route', () => ADMIN_PATH],
    ['a path that no router reads', () => '/images/%zz'],
  ])('needs a new connection if the first offers an upgrade: %s', async (_name, path) => {
    const { rows, service } = running;
    const first = { method: 'GET', path: path(rows) };
    const { status } = await requestAlone(service.port, first);
    for (const [body, announced] of [
      ['', {}],
      [whole, { 'Transfer-Encoding': 'chunked' }],
    ] as const) {
      const head = writeHead(first, { Connection: 'Upgrade', Upgrade: 'h2c', ...announced });
      for (const write of Object.values(PACES)) {
        const text = await converse(service.port, write(head, body, writeHead(withoutKey(), CLOSE)));
        const responses = splitResponses(text, ['GET']);
        expect(responses.map((response) => response.status)).toStrictEqual([status]);
        expect(responses[0]?.headers).toContain('Connection: close');
      }
    }
  });
});

async function create(service: ServiceProcess, path: string, body: unknown): Promise<{ id: string }> {
  const response = await requestAdmin(service, 'POST', path, body);
  expect(response.status, response.text).toBe(201);
  return response.json() as { id: string };
}

async function createRows(service: ServiceProcess): Promise<Rows> {
  const image = await createServedImage(service);
  const { issuerId } = image;
  const open = {
    issuer_id: issuerId,
    public_id: 'open',
    version: 1,
    delivery_type: 'upload',
    access: 'public',
  };
  const [overlay, publicImage, adminKey, revocation] = [
    await create(service, '/overlays', { issuer_id: issuerId, public_id: 'layer' }),
    await create(service, '/images', open),
    await create(service, '/admin-keys', { name: 'reader', scopes: ['read'] }),
    await create(service, `/issuers/${issuerId}/revocations`, { jti: 'revoked' }),
  ];
  const form = new FormData();
  form.set('file', new Blob([new Uint8Array(await photo())]), 'photo');
  const uploaded = await fetch(`${service.url}/admin/images/${image.imageId}/original`, {
    method: 'PUT',
    headers: KEYED,
    body: form,
  });
  expect(uploaded.status).toBe(200);
  return {
    image,
    publicId: publicImage.id,
    overlayId: overlay.id,
    adminKeyId: adminKey.id,
    revocationId: revocation.id,
  };
}
