import { connect, type Socket } from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { requestAdmin, createServedImage, ownClient, type ServedImage } from '../support/owned.js';
import { startServiceProcess, type ServiceProcess } from '../support/service-process.js';
import { ADMIN_KEY, TEST_VARIABLES } from '../support/service.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { waitUntil } from '../support/wait-until.js';

let database: TestDatabase;
let service: ServiceProcess;
let served: ServedImage;

beforeAll(async () => {
  database = await createTestDatabase();
  service = await startServiceProcess({ ...TEST_VARIABLES, ...database.variables, LOG_LEVEL: 'info' });
  served = await createServedImage(service);
});
afterAll(async () => {
  service.kill('SIGKILL');
  await service.exited;
  await database.drop();
});

/** Statuses in the log for a request id. */
function logged(requestId: string): readonly number[] {
  return service
    .output()
    .stdout.split('\n')
    .filter((line) => line.includes(`"request_id":"${requestId}"`))
    .map((line) => (JSON.parse(line) as { status: number }).status);
}

async function expectLogged(requestId: string, status: number): Promise<void> {
  await waitUntil(`the log has ${requestId}`, () => logged(requestId).length > 0);
  expect(logged(requestId)).toStrictEqual([status]);
}

let requests = 0;
const freshId = (): string => `left-${++requests}`;

const head = (method: string, path: string, requestId: string, headers = ''): string =>
  `${method} ${path} HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${requestId}\r\n${headers}`;
const keyed = `Authorization: Bearer ${ADMIN_KEY}\r\n`;

function open(bytes: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(service.port, '127.0.0.1', () => {
      socket.write(bytes, () => {
        resolve(socket);
      });
    });
    socket.once('error', reject);
    onTestFinished(() => void socket.destroy());
  });
}

/** How a client disconnects: it closes or resets its connection. */
const WAYS: Readonly<Record<string, (socket: Socket) => void>> = {
  closes: (socket) => void socket.destroy(),
  resets: (socket) => void socket.resetAndDestroy(),
};

describe('the log line of a disconnected client', () => {
  /** A new image's path, so that its row is not cached. */
  async function uncachedPath(): Promise<string> {
    const response = await requestAdmin(service, 'POST', '/images', {
      issuer_id: served.issuerId,
      public_id: freshId(),
      version: 1,
    });
    return `/images/${(response.json() as { id: string }).id}?token=${served.seal()}`;
  }

  /** Blocks every query for images until the returned function is called. */
  async function blockImageQueries(): Promise<{
    readonly waits: (count: number) => Promise<void>;
    release(): Promise<void>;
  }> {
    const client: pg.Client = await ownClient(database);
    await client.query('BEGIN');
    await client.query('LOCK TABLE images IN ACCESS EXCLUSIVE MODE');
    const observer = await ownClient(database);
    return {
      waits: (count) =>
        waitUntil('the look-up waits', async () => {
          const { rowCount } = await observer.query(
            `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
          );
          return (rowCount ?? 0) >= count;
        }),
      release: async () => {
        await client.query('ROLLBACK');
      },
    };
  }

  const onServer = inject('database').kind === 'postgres';
  const PLACES = {
    'a redirect': (id: string, path: string) => head('GET', path, id),
    'a HEAD of a redirect': (id: string, path: string) => head('HEAD', path, id),
    'a redirect with an encoded query': (id: string, path: string) => head('GET', `${path}&`, id),
    'an explanation': (id: string, path: string) => head('GET', path.replace('?', '/explain?'), id),
    'an admin route': (id: string, path: string) =>
      head('GET', `/admin${path.slice(0, path.indexOf('?'))}`, id, keyed),
  };

  describe.each(Object.keys(WAYS))('and %s its connection', (way) => {
    it.skipIf(!onServer).each(Object.entries(PLACES))('has 499: %s', async (_, write) => {
      const path = await uncachedPath();
      const id = freshId();
      const images = await blockImageQueries();
      const socket = await open(`${write(id, path)}\r\n`);
      await images.waits(1);
      WAYS[way]?.(socket);
      await expectLogged(id, 499);
      await images.release();
    });

    it.skipIf(!onServer)('has 499 for each request behind it', async () => {
      const path = await uncachedPath();
      const [slow, quick, unroutable] = [freshId(), freshId(), freshId()];
      const images = await blockImageQueries();
      const socket = await open(
        [
          head('GET', path, slow),
          head('GET', '/health/live', quick),
          head('GET', '/images/%zz', unroutable),
        ].join('\r\n') + '\r\n',
      );
      await images.waits(1);
      WAYS[way]?.(socket);
      for (const id of [slow, quick, unroutable]) await expectLogged(id, 499);
      await images.release();
    });
  });

  it('has 499 if the body did not arrive', async () => {
    const id = freshId();
    const socket = await open(
      `${head('POST', '/deliveries', id, 'Content-Type: application/json\r\n')}Content-Length: 9\r\n\r\n`,
    );
    // Its head has been read when a later request is logged.
    const later = freshId();
    (await open(`${head('GET', '/health/live', later)}\r\n`)).end();
    await expectLogged(later, 200);
    socket.resetAndDestroy();
    await expectLogged(id, 499);
  });

  it('has 499 if the response was not read', async () => {
    const id = freshId();
    const socket = await open(`${head('GET', '/docs/openapi.json', id)}\r\n`.repeat(200));
    socket.pause();
    await waitUntil('one was sent', () => logged(id).length > 0);
    socket.resetAndDestroy();
    await waitUntil('one was not sent', () => logged(id).includes(499));
    expect(new Set(logged(id))).toStrictEqual(new Set([200, 499]));
  });

  it.skipIf(!onServer)('has the status that was sent if the body of a request broke', async () => {
    const path = await uncachedPath();
    const id = freshId();
    const images = await blockImageQueries();
    const socket = await open(`${head('GET', path, id)}Transfer-Encoding: chunked\r\n\r\n`);
    await images.waits(1);
    socket.resume().write('no chunk\r\n');
    await expectLogged(id, 400);
    await images.release();
  });
});
