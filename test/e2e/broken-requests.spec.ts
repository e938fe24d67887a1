import { connect } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { REQUEST_LIMITS } from '../../src/platform/http/request-limits.js';
import { converse, HALF_CLOSE, RESPONSE, splitResponses, type Piece } from '../support/connection.js';
import { findNode24 } from '../support/node-versions.js';
import { createServedImage } from '../support/owned.js';
import { startServiceProcess } from '../support/service-process.js';
import { ADMIN_KEY, NO_PRESSURE, startService, TEST_VARIABLES } from '../support/service.js';
import { createTestDatabase } from '../support/test-database.js';
import { waitUntil } from '../support/wait-until.js';

/** Milliseconds between two writes if no response is expected. */
const PAUSE = 80;
const GARBAGE = 'GARBAGE\r\n\r\n';
const MALFORMED_CHUNK = 'zz\r\nhello\r\n';

/** A service under test, and the requests that a row is built from. */
interface Target {
  readonly port: number;
  /** Heads without the empty line that ends them: each is followed by `end`, or by a header that announces a body. */
  readonly redirect: string;
  /** Waits for the database, so that its response is pending when the next bytes are read. */
  readonly slow: string;
  readonly post: string;
  readonly unroutable: string;
  readonly large: string;
  /** Open connections; null where the service is another process. */
  readonly countConnections: (() => Promise<number>) | null;
  stop(): Promise<void>;
}

function describeTarget(
  port: number,
  path: string,
  imageId: string,
): Omit<Target, 'countConnections' | 'stop'> {
  const host = 'Host: pixseal.test\r\n';
  return {
    port,
    redirect: `GET ${path} HTTP/1.1\r\n${host}`,
    slow: `GET /admin/images/${imageId} HTTP/1.1\r\n${host}Authorization: Bearer ${ADMIN_KEY}\r\n`,
    post: `POST /deliveries HTTP/1.1\r\n${host}Content-Type: application/json\r\n`,
    unroutable: `GET /images/%zz HTTP/1.1\r\n${host}`,
    large: `GET /docs/openapi.json HTTP/1.1\r\n${host}`,
  };
}

const end = '\r\n';
const close = 'Connection: close\r\n\r\n';
const chunked = 'Transfer-Encoding: chunked\r\n\r\n';
const unknownCoding = 'Transfer-Encoding: xchunked\r\n\r\n';

type Row = readonly [
  name: string,
  pieces: (target: Target) => readonly Piece[],
  statuses: readonly (number | readonly number[])[],
];

/** One response, to the request that arrives first or to the body that is read. */
const EITHER = [302, 400];

/** The bytes that a client sends, and the statuses of all responses. */
const BROKEN: readonly Row[] = [
  ['no request at all', () => [GARBAGE], [400]],
  ['a head over 16 KiB', ({ redirect }) => [`${redirect}X: ${'x'.repeat(17_000)}\r\n\r\n`], [431]],
  ['a head that ends in the middle', ({ redirect }) => [redirect, PAUSE, HALF_CLOSE], [400]],
  ['no Host', () => [`GET / HTTP/1.1\r\n${close}`], [400]],
  ['two Host lines', ({ redirect }) => [`${redirect}Host: other.test\r\n${close}`], [400]],
  [
    'two Host lines, then a redirect',
    ({ redirect }) => [`${redirect}Host: x\r\n${end}${redirect}${close}`],
    [400, 302],
  ],

  ['a redirect with an unknown coding', ({ redirect }) => [redirect + unknownCoding], [EITHER]],
  ['the same, and a body', ({ redirect }) => [redirect + unknownCoding, RESPONSE, '0\r\n\r\n'], [EITHER]],
  ['a redirect with a malformed chunk', ({ redirect }) => [redirect + chunked + MALFORMED_CHUNK], [EITHER]],
  ['the chunk after the response', ({ redirect }) => [redirect + chunked, RESPONSE, MALFORMED_CHUNK], [302]],
  [
    'a malformed chunk behind a good one',
    ({ redirect }) => [redirect + chunked, RESPONSE, '5\r\nhello\r\n', PAUSE, MALFORMED_CHUNK],
    [302],
  ],
  [
    'malformed trailers',
    ({ redirect }) => [redirect + chunked, RESPONSE, '0\r\n', PAUSE, 'no field\r\n\r\n'],
    [302],
  ],
  [
    'a chunk that ends in the middle',
    ({ redirect }) => [redirect + chunked, RESPONSE, '5\r\nh', HALF_CLOSE],
    [302],
  ],
  ['a path that no router reads', ({ unroutable }) => [unroutable + chunked + MALFORMED_CHUNK], [400]],
  ['the same, the chunk later', ({ unroutable }) => [unroutable + chunked, RESPONSE, MALFORMED_CHUNK], [400]],
  ['no Host, and a malformed chunk', () => [`GET / HTTP/1.1\r\n${chunked}${MALFORMED_CHUNK}`], [400]],
  [
    'an unknown expectation',
    ({ redirect }) => [`${redirect}Expect: nonsense\r\n${chunked}${MALFORMED_CHUNK}`],
    [EITHER],
  ],
  [
    'the same, the chunk later',
    ({ redirect }) => [`${redirect}Expect: nonsense\r\n${chunked}`, RESPONSE, MALFORMED_CHUNK],
    [302],
  ],
  [
    'a body that is refused before its end, and ends in the middle',
    ({ post }) => [`${post}Content-Length: 9999999\r\n${end}`, RESPONSE, 'x'.repeat(9_999), HALF_CLOSE],
    [413],
  ],
  [
    'a body that is refused before its end, then no request',
    ({ post }) => [`${post}Content-Length: 9999999\r\n${end}`, RESPONSE, 'x'.repeat(9_999_999), GARBAGE],
    [413, 400],
  ],

  ['a body that the service waits for', ({ post }) => [post + chunked + MALFORMED_CHUNK], [400]],
  ['the same, the chunk later', ({ post }) => [post + chunked, PAUSE, MALFORMED_CHUNK], [400]],
  ['a slow response, and an unknown coding', ({ slow }) => [slow + unknownCoding], [400]],
  ['a slow response, and a malformed chunk', ({ slow }) => [slow + chunked + MALFORMED_CHUNK], [400]],
  ['the chunk after the slow response', ({ slow }) => [slow + chunked, RESPONSE, MALFORMED_CHUNK], [200]],

  ['a redirect, then no request', ({ redirect }) => [redirect + end + GARBAGE], [302, 400]],
  ['the same, apart', ({ redirect }) => [redirect + end, RESPONSE, GARBAGE], [302, 400]],
  ['a slow response, then no request', ({ slow }) => [slow + end + GARBAGE], [200, 400]],
  [
    'slow, quick, no request',
    ({ slow, redirect }) => [slow + end + redirect + end + GARBAGE],
    [200, 302, 400],
  ],
  [
    'slow, quick, a malformed chunk of the quick one',
    ({ slow, redirect }) => [slow + end + redirect + chunked + MALFORMED_CHUNK],
    [200, EITHER],
  ],
  [
    'slow, a malformed chunk of the waiting one',
    ({ slow, post }) => [slow + end + post + chunked + MALFORMED_CHUNK],
    [200, 400],
  ],
  ['garbage again and again', ({ slow }) => [slow + end + GARBAGE, 1, GARBAGE, 1, GARBAGE], [200, 400]],
  [
    'large responses, then no request',
    ({ large }) => [(large + end).repeat(20) + GARBAGE],
    [...Array.from({ length: 20 }, () => 200), 400],
  ],
  ['a request after the last one', ({ redirect }) => [redirect + close + redirect + close], [302]],
  ['the same behind a slow response', ({ slow, redirect }) => [slow + close + redirect + close], [200]],
  ['garbage behind the last request', ({ slow }) => [slow + close + GARBAGE], [200]],
];

/** Rows that wait until a request exceeds its time limit. */
const LATE: readonly Row[] = [
  ['a connection without a request', () => [], []],
  ['a head that does not end', ({ redirect }) => [redirect], [408]],
  [
    'a body that the service waits for and that does not end',
    ({ post }) => [post + chunked, ...drip('1\r\nx\r\n')],
    [408],
  ],
  [
    'a body that drips behind a redirect',
    ({ redirect }) => [redirect + chunked, ...drip('1\r\nx\r\n')],
    [302],
  ],
  ['a missing body behind a redirect', ({ redirect }) => [`${redirect}Content-Length: 5\r\n\r\n`], [302]],
  [
    'a head that does not end behind a redirect',
    ({ redirect }) => [redirect + end, RESPONSE, redirect],
    [302, 408],
  ],
  [
    'a body that drips behind two slow responses',
    ({ slow }) => [slow + end + slow + chunked, ...drip('1\r\nx\r\n')],
    // The second request may itself be late on a slow machine.
    [200, [200, 408]],
  ],
];

function drip(bytes: string): readonly Piece[] {
  return Array.from({ length: 40 }, () => [50, bytes]).flat();
}

async function expectStatuses(target: Target, [, pieces, statuses]: Row): Promise<void> {
  const text = await converse(target.port, pieces(target));
  const responses = splitResponses(text);
  const expected = statuses.map((status, index) =>
    typeof status === 'number' ? status : status.find((one) => one === responses[index]?.status),
  );
  expect(responses.map(({ status }) => status)).toStrictEqual(expected);
}

async function startHere(): Promise<Target> {
  const { http, ...rest } = REQUEST_LIMITS;
  const service = await startService({}, undefined, {
    pressure: NO_PRESSURE,
    requests: {
      ...rest,
      requestTimeout: 1_000,
      http: { ...http, headersTimeout: 800, connectionsCheckingInterval: 100 },
    },
  });
  const image = await createServedImage(service);
  const server = service.app.getHttpServer();
  return {
    ...describeTarget(service.port, image.path(), image.imageId),
    countConnections: promisify(server.getConnections.bind(server)),
    stop: () => service.close(),
  };
}

async function startOn(node: string): Promise<Target> {
  const database = await createTestDatabase();
  const service = await startServiceProcess({ ...TEST_VARIABLES, ...database.variables }, undefined, node);
  const image = await createServedImage(service);
  return {
    ...describeTarget(service.port, image.path(), image.imageId),
    countConnections: null,
    stop: async () => {
      service.kill('SIGKILL');
      await service.exited;
      await database.drop();
    },
  };
}

const node24 = findNode24();

describe.each([
  ['this Node', startHere, [...BROKEN, ...LATE]],
  ...(node24 === null ? [] : [['Node 24', () => startOn(node24), BROKEN] as const]),
] as const)(
  'on %s, a connection gets one response for each request, and is then closed',
  (_, start, rows) => {
    let target: Target;
    beforeAll(async () => {
      target = await start();
    });
    afterAll(() => target.stop());

    it.concurrent.each(rows.map((row) => [row[0], row] as const))('%s', async (_name, row) => {
      await expectStatuses(target, row);
    });

    it('even if the client never closes its side', async ({ skip }) => {
      const { countConnections, port } = target;
      if (countConnections === null) return skip();
      const before = await countConnections();
      for (const bytes of [
        GARBAGE,
        target.redirect + end + GARBAGE,
        target.post + chunked + MALFORMED_CHUNK,
      ]) {
        const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
        onTestFinished(() => void socket.destroy());
        socket.resume().write(bytes);
        await new Promise((resolve) => socket.once('end', resolve));
      }
      await waitUntil('all are closed', async () => (await countConnections()) <= before);
    });

    it('and other connections are not affected', async () => {
      const text = await converse(target.port, [target.redirect + close]);
      expect(splitResponses(text).map(({ status }) => status)).toStrictEqual([302]);
    });
  },
);
