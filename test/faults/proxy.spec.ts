import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it, onTestFinished } from 'vitest';
import {
  type AccountHost,
  type HostAnswer,
  PICTURE,
  PICTURE_HEADERS,
  type ReceivedView,
  sendPicture,
  startAccountHost,
  view,
} from '../support/account-host.js';
import { FIGURE } from '../support/figures.reporter.js';
import { listen } from '../support/http.js';
import { readMetrics, sumOf } from '../support/metrics.js';
import { createServedImage, ownDatabase, requestAdmin, type ServedImage } from '../support/owned.js';
import { ownProcess, type ServiceProcess, warningsOf } from '../support/service-process.js';
import { TEST_VARIABLES } from '../support/service.js';

const MIB = 2 ** 20;
const HUGE = randomBytes(20 * MIB);
const HUGE_HEADERS = { 'Content-Type': 'image/png', 'Content-Length': String(HUGE.length) };

let host: AccountHost;
beforeEach(async () => {
  host = await startAccountHost();
});
afterEach(() => host.close());

interface Proxy extends ServiceProcess {
  readonly served: ServedImage;
  readonly variables: Readonly<Record<string, string>>;
  /** The path of one image for each number. */
  readonly path: (number: number) => string;
}

/** A process that fetches from `host`, with an issuer of `delivery: proxy`. */
async function startProxy(variables: Readonly<Record<string, string>> = {}): Promise<Proxy> {
  const database = await ownDatabase();
  const all = {
    ...TEST_VARIABLES,
    ...database.variables,
    DELIVERY_MODE: 'cloudinary',
    LOG_LEVEL: 'warn',
    PROXY: 'on',
    PROXY_UPSTREAM: host.origin,
    ...variables,
  };
  const service = await ownProcess(all);
  const served = await createServedImage(service);
  const policy = { delivery: 'proxy' };
  const changed = await requestAdmin(service, 'PATCH', `/issuers/${served.issuerId}`, { policy });
  expect(changed.status).toBe(200);
  return {
    ...service,
    served,
    variables: all,
    path: (number) => served.path({ transformations: [{ width: number }] }),
  };
}

const codeOf = ({ status, body }: ReceivedView): unknown => [
  status,
  (JSON.parse(body.toString()) as { code: string }).code,
];

/** What the open descriptors of a process lead to, without its own files and sockets. */
function openFiles({ pid }: ServiceProcess, folder: string): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    const target = existsSync(`/proc/${pid}/fd/${fd}`) ? readlinkSync(`/proc/${pid}/fd/${fd}`) : '';
    return target.startsWith(folder) ? [target] : [];
  });
}

const memoryOf = ({ pid }: ServiceProcess): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;

function ownFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pixseal-proxy-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Mounts a file system of 8 MiB for the test; null where that is not permitted. */
const mount = findMount();

function findMount(): ((folder: string) => void) | null {
  const attach = (folder: string): void => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder], { stdio: 'ignore' });
  };
  const detach = (folder: string): void => {
    execFileSync('umount', ['-l', folder]);
  };
  const probe = mkdtempSync(join(tmpdir(), 'pixseal-proxy-'));
  try {
    attach(probe);
    detach(probe);
  } catch {
    return null;
  } finally {
    rmSync(probe, { recursive: true });
  }
  return (folder) => {
    attach(folder);
    onTestFinished(() => {
      detach(folder);
    });
  };
}

/** A client that requests a path and reads nothing. */
async function startSilentClient(port: number, path: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.pause();
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  return socket;
}

describe('an account’s host that fails', () => {
  it('is 502 if it is unreachable, resets the connection or sends no HTTP; cached images are served', async () => {
    const proxy = await startProxy();
    expect((await view(proxy.port, proxy.path(1))).body.equals(PICTURE)).toBe(true);
    host.answer((request) => request.socket.resetAndDestroy());
    expect(codeOf(await view(proxy.port, proxy.path(2)))).toStrictEqual([502, 'upstream_failed']);
    host.answer((request) => request.socket.end('220 smtp.example.com\r\n'));
    expect(codeOf(await view(proxy.port, proxy.path(2)))).toStrictEqual([502, 'upstream_failed']);
    await host.close();
    expect(codeOf(await view(proxy.port, proxy.path(2)))).toStrictEqual([502, 'upstream_failed']);
    expect((await view(proxy.port, proxy.path(1))).body.equals(PICTURE)).toBe(true);
    host = await startAccountHost();
  });

  it('is 504 after 10 s without headers, and cuts a body that is not whole by then', async () => {
    const proxy = await startProxy();
    host.answer((request, response) => {
      if (request.url?.includes('/w_2/') !== true) return;
      response.writeHead(200, PICTURE_HEADERS).write(PICTURE.subarray(0, 100));
      const drip = setInterval(() => response.write('x'), 100);
      response.once('close', () => {
        clearInterval(drip);
      });
    });
    const startedAt = performance.now();
    const [silent, dripping] = await Promise.all([
      view(proxy.port, proxy.path(1)),
      view(proxy.port, proxy.path(2)),
    ]);
    const elapsed = performance.now() - startedAt;
    expect(codeOf(silent)).toStrictEqual([504, 'upstream_timeout']);
    expect(dripping).toMatchObject({ status: 200, isWhole: false });
    expect(elapsed).toBeGreaterThan(9_500);
    expect(elapsed).toBeLessThan(15_000);
  });

  it.each([
    ['is cut in the middle', PICTURE.subarray(0, 4_000), String(PICTURE.length), true],
    [
      'is shorter than it says, on an open connection',
      PICTURE.subarray(0, 4_000),
      String(PICTURE.length),
      false,
    ],
  ])('never leads to an image that looks whole if its response %s', async (_, body, length, isClosed) => {
    const proxy = await startProxy();
    const sockets: Socket[] = [];
    host.answer((request, response) => {
      response.writeHead(200, { ...PICTURE_HEADERS, 'Content-Length': length });
      response.write(body);
      if (isClosed) setTimeout(() => request.socket.destroy(), 100);
      else sockets.push(request.socket);
    });
    const received = await view(proxy.port, proxy.path(1));
    expect(received).toMatchObject({ status: 200, isWhole: false });
    host.answer(sendPicture);
    expect((await view(proxy.port, proxy.path(1))).body.equals(PICTURE)).toBe(true);
  });

  it('cannot send more than 25 MiB without a length, and one that is cut is 502', async () => {
    const proxy = await startProxy();
    let sent = 0;
    host.answer((_, response) => {
      response.writeHead(200, { 'Content-Type': 'image/png' });
      const pump = (): void => {
        while (!response.destroyed && response.write(HUGE.subarray(0, MIB))) sent += MIB;
        sent += MIB;
      };
      response.on('drain', pump);
      pump();
    });
    expect(codeOf(await view(proxy.port, proxy.path(1)))).toStrictEqual([502, 'upstream_failed']);
    expect(sent).toBeLessThan(40 * MIB);
    host.answer((request, response) => {
      response.writeHead(200, { 'Content-Type': 'image/png' }).write(PICTURE);
      setTimeout(() => request.socket.destroy(), 100);
    });
    expect(codeOf(await view(proxy.port, proxy.path(1)))).toStrictEqual([502, 'upstream_failed']);
  });

  it('is not followed where it redirects to', async () => {
    let connections = 0;
    const trap: Server = createServer(() => (connections += 1));
    const port = await listen(trap);
    onTestFinished(() => void trap.close());
    const proxy = await startProxy();
    host.answer((_, response) => response.writeHead(301, { Location: `http://127.0.0.1:${port}/` }).end());
    expect(codeOf(await view(proxy.port, proxy.path(1)))).toStrictEqual([502, 'upstream_failed']);
    expect(connections).toBe(0);
  });

  it('is asked at most as often at a time as PROXY_CONCURRENCY says, and the rest is 503 with Retry-After', async () => {
    const proxy = await startProxy({ PROXY_CONCURRENCY: '2' });
    const waiting: (() => void)[] = [];
    host.answer((request, response) => {
      waiting.push(() => {
        sendPicture(request, response);
      });
    });
    const views = Array.from({ length: 11 }, (_, index) => view(proxy.port, proxy.path(index + 1)));
    const refused = await Promise.race(views);
    expect(codeOf(refused)).toStrictEqual([503, 'overloaded']);
    expect(refused.headers['retry-after']).toBe('1');
    // A refusal is faster than a fetch.
    await expect.poll(() => waiting.length, { timeout: 10_000 }).toBe(2);
    host.answer(sendPicture);
    for (const send of waiting) send();
    expect((await Promise.all(views)).filter(({ status }) => status === 200)).toHaveLength(10);
  });
});

describe('a client of the proxy', () => {
  it('that leaves cancels the fetch only if no other waits', async () => {
    const folder = ownFolder();
    const proxy = await startProxy({ PROXY_CACHE_DIR: folder });
    let cancelled = 0;
    const pending: (() => void)[] = [];
    host.answer((_, response) => {
      response.once('close', () => {
        if (!response.writableFinished) cancelled += 1;
      });
      response.writeHead(200, PICTURE_HEADERS).write(PICTURE.subarray(0, 100));
      pending.push(() => response.end(PICTURE.subarray(100)));
    });
    const alone = await startSilentClient(proxy.port, proxy.path(1));
    await expect.poll(() => pending.length).toBe(1);
    alone.destroy();
    await expect.poll(() => cancelled).toBe(1);

    const first = await startSilentClient(proxy.port, proxy.path(1));
    await expect.poll(() => pending.length).toBe(2);
    const second = view(proxy.port, proxy.path(1));
    await expect
      .poll(async () =>
        sumOf(await readMetrics(proxy.port), 'pixseal_proxied_images_total', { cache: 'shared' }),
      )
      .toBe(1);
    first.destroy();
    await new Promise((resolve) => setTimeout(resolve, 200));
    pending[1]?.();
    expect((await second).body.equals(PICTURE)).toBe(true);
    expect([cancelled, host.requests.length]).toStrictEqual([1, 2]);
    await expect.poll(() => openFiles(proxy, folder)).toStrictEqual([]);
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toStrictEqual([]);
  });

  it('that reads nothing of an image that is not stored keeps a file, of which there are two for each fetch', async () => {
    const folder = ownFolder();
    const proxy = await startProxy({ PROXY_CACHE_DIR: folder, PROXY_CONCURRENCY: '2' });
    expect((await view(proxy.port, proxy.path(1))).body.equals(PICTURE)).toBe(true);
    host.answer((_, response) =>
      response.writeHead(200, { ...HUGE_HEADERS, 'Cache-Control': 'no-store' }).end(HUGE),
    );
    const parts = (): number => readdirSync(folder).filter((name) => name.endsWith('.part')).length;
    const clients: Socket[] = [];
    for (let count = 1; count <= 4; count += 1) {
      clients.push(await startSilentClient(proxy.port, proxy.path(count + 1)));
      await expect.poll(parts, { timeout: 10_000 }).toBe(count);
    }
    await expect
      .poll(async () => sumOf(await readMetrics(proxy.port), 'pixseal_upstream_fetches'), { timeout: 10_000 })
      .toBe(0);
    const refused = await view(proxy.port, proxy.path(9));
    expect(codeOf(refused)).toStrictEqual([503, 'overloaded']);
    expect(refused.headers['retry-after']).toBe('1');
    expect([parts(), host.requests.length]).toStrictEqual([4, 5]);
    expect((await view(proxy.port, proxy.path(1))).body.equals(PICTURE)).toBe(true);
    for (const client of clients) client.destroy();
    await expect.poll(parts).toBe(0);
    expect((await view(proxy.port, proxy.path(9))).body.equals(HUGE)).toBe(true);
  });

  it('that reads nothing keeps a cached file, and the disk has no more than PROXY_CACHE_SIZE of them', async () => {
    const folder = ownFolder();
    const proxy = await startProxy({ PROXY_CACHE_DIR: folder, PROXY_CACHE_SIZE: '64' });
    host.answer((_, response) => response.writeHead(200, HUGE_HEADERS).end(HUGE));
    const clients: Socket[] = [];
    for (let number = 1; number <= 5; number += 1) {
      expect((await view(proxy.port, proxy.path(number))).body.equals(HUGE)).toBe(true);
      clients.push(await startSilentClient(proxy.port, proxy.path(number)));
    }
    const bytesOf = (path: string): number =>
      readdirSync(path, { recursive: true, withFileTypes: true }).reduce(
        (bytes, entry) =>
          bytes +
          (entry.name.endsWith('.part') || !entry.isFile()
            ? 0
            : statSync(join(entry.parentPath, entry.name)).size),
        0,
      );
    const reported = sumOf(await readMetrics(proxy.port), 'pixseal_proxy_cache_bytes');
    expect([bytesOf(folder), reported]).toStrictEqual([3 * (HUGE.length + 1_024), 3 * (HUGE.length + 1_024)]);
    // Deleted files would be in no listing.
    const deleted = openFiles(proxy, folder).filter(
      (path) => path.endsWith(' (deleted)') && !path.includes('.part'),
    );
    expect(deleted).toStrictEqual([]);
    for (const client of clients) client.destroy();
    await expect.poll(() => openFiles(proxy, folder)).toStrictEqual([]);
    expect((await view(proxy.port, proxy.path(6))).body.equals(HUGE)).toBe(true);
    await expect
      .poll(async () => sumOf(await readMetrics(proxy.port), 'pixseal_proxy_cache_bytes'))
      .toBe(3 * (HUGE.length + 1_024));
  });

  it('that reads nothing costs no memory and, once it is gone, no descriptor', async ({ annotate }) => {
    const folder = ownFolder();
    const proxy = await startProxy({ PROXY_CACHE_DIR: folder });
    host.answer((_, response) => response.writeHead(200, HUGE_HEADERS).end(HUGE));
    const digest = createHash('sha256').update(HUGE).digest('hex');
    const digestOf = async (): Promise<string> =>
      createHash('sha256')
        .update((await view(proxy.port, proxy.path(1))).body)
        .digest('hex');
    expect(await digestOf()).toBe(digest);
    const before = memoryOf(proxy);
    const clients = await Promise.all(
      Array.from({ length: 50 }, () => startSilentClient(proxy.port, proxy.path(1))),
    );
    await expect
      .poll(async () =>
        sumOf(await readMetrics(proxy.port), 'pixseal_proxied_images_total', { cache: 'hit' }),
      )
      .toBe(50);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const grown = memoryOf(proxy) - before;
    expect(grown).toBeLessThan(50 * MIB);
    expect(openFiles(proxy, folder)).toHaveLength(1);
    for (const client of clients) client.destroy();
    await expect.poll(() => openFiles(proxy, folder)).toStrictEqual([]);
    expect(await digestOf()).toBe(digest);
    await annotate(
      `50 clients that read nothing of 20 MiB: ${(grown / MIB).toFixed(1)} MiB more memory`,
      FIGURE,
    );
  });
});

describe('a full disk', () => {
  /** Image 1 is small, the others are huge. */
  const answerBySize: HostAnswer = (request, response) => {
    if (request.url?.includes('/w_1/') === true) sendPicture(request, response);
    else response.writeHead(200, HUGE_HEADERS).end(HUGE);
  };
  /** Whether the huge images reach all clients, and the small one is cached as before. */
  const expectDelivery = async (proxy: Proxy, folder: string): Promise<void> => {
    for (const number of [2, 2, 3]) {
      const views = await Promise.all([1, 2, 3].map(() => view(proxy.port, proxy.path(number))));
      for (const { body, isWhole } of views) expect([body.equals(HUGE), isWhole]).toStrictEqual([true, true]);
    }
    expect((await view(proxy.port, proxy.path(1))).body.equals(PICTURE)).toBe(true);
    expect(host.requests.filter(({ url }) => url?.includes('/w_1/'))).toHaveLength(1);
    expect(warningsOf(proxy).filter((text) => text.startsWith('Proxied images are delivered'))).toHaveLength(
      1,
    );
    await expect.poll(() => openFiles(proxy, folder)).toStrictEqual([]);
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toStrictEqual([]);
  };

  it('within an image delivers it without a cache, and the log says so once', async () => {
    const folder = ownFolder();
    const proxy = await startProxy({ PROXY_CACHE_DIR: folder });
    host.answer(answerBySize);
    expect((await view(proxy.port, proxy.path(1))).body.equals(PICTURE)).toBe(true);
    execFileSync('prlimit', ['--pid', String(proxy.pid), `--fsize=${3 * MIB}`]);
    await expectDelivery(proxy, folder);
  });

  it.runIf(mount !== null)('of a file system does the same', async () => {
    const folder = ownFolder();
    mount?.(folder);
    const proxy = await startProxy({ PROXY_CACHE_DIR: folder });
    host.answer(answerBySize);
    expect((await view(proxy.port, proxy.path(1))).body.equals(PICTURE)).toBe(true);
    await expectDelivery(proxy, folder);
  });

  it('that has no room for a single file delivers all the same', async () => {
    const folder = ownFolder();
    const proxy = await startProxy({ PROXY_CACHE_DIR: folder });
    rmSync(folder, { recursive: true });
    for (let times = 0; times < 2; times += 1) {
      expect((await view(proxy.port, proxy.path(1))).body.equals(PICTURE)).toBe(true);
    }
    expect(host.requests).toHaveLength(2);
  });
});

describe('SIGTERM in the middle of an image', () => {
  it('lets a client that reads have all of it, cuts one that does not, and exits with 0', async () => {
    const folder = ownFolder();
    const proxy = await startProxy({ PROXY_CACHE_DIR: folder });
    const pending: (() => void)[] = [];
    host.answer((request, response) => {
      if (request.url?.includes('/w_1/') === true) {
        response.writeHead(200, PICTURE_HEADERS).write(PICTURE.subarray(0, 100));
        pending.push(() => response.end(PICTURE.subarray(100)));
      } else response.writeHead(200, { ...HUGE_HEADERS, 'Cache-Control': 'no-store' }).end(HUGE);
    });
    const reading = view(proxy.port, proxy.path(1));
    await expect.poll(() => pending.length).toBe(1);
    const silent = await startSilentClient(proxy.port, proxy.path(2));
    await expect.poll(() => host.requests.length).toBe(2);
    const startedAt = performance.now();
    proxy.kill('SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 500));
    pending[0]?.();
    expect((await reading).body.equals(PICTURE)).toBe(true);
    expect(await proxy.exited).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toStrictEqual([]);
    silent.destroy();
  });

  it('keeps what is cached, and a partial file of a killed process is no image', async () => {
    const first = await startProxy({ PROXY_CACHE_DIR: ownFolder() });
    const { served, variables } = first;
    expect((await view(first.port, served.path())).body.equals(PICTURE)).toBe(true);
    host.answer((_, response) => response.writeHead(200, PICTURE_HEADERS).write(PICTURE.subarray(0, 100)));
    const cut = view(first.port, served.path({ transformations: [{ width: 9 }] })).catch(() => null);
    await expect.poll(() => host.requests.length).toBe(2);
    first.kill('SIGKILL');
    await first.exited;
    expect((await cut)?.isWhole ?? false).toBe(false);

    host.answer(sendPicture);
    const second = await ownProcess(variables);
    expect((await view(second.port, served.path())).body.equals(PICTURE)).toBe(true);
    expect(host.requests).toHaveLength(2);
    const again = await view(second.port, served.path({ transformations: [{ width: 9 }] }));
    expect(again.body.equals(PICTURE)).toBe(true);
    expect(host.requests).toHaveLength(3);
  });
});

describe.runIf(inject('database').kind === 'postgres')('three replicas with the proxy', () => {
  it.each([
    [
      'a revoked token',
      401,
      (proxy: Proxy) =>
        requestAdmin(proxy, 'POST', `/issuers/${proxy.served.issuerId}/revocations`, { jti: 'a' }),
    ],
    [
      'a disabled issuer',
      401,
      (proxy: Proxy) => requestAdmin(proxy, 'PATCH', `/issuers/${proxy.served.issuerId}`, { disabled: true }),
    ],
    [
      'a deleted image',
      410,
      (proxy: Proxy) => requestAdmin(proxy, 'DELETE', `/images/${proxy.served.imageId}`),
    ],
  ])('refuse the cached image of %s within a second', async (_, status, invalidate) => {
    const proxy = await startProxy();
    const start = (): Promise<ServiceProcess> => ownProcess({ ...proxy.variables, DATA_DIR: ownFolder() });
    const others = await Promise.all([start(), start()]);
    const path = proxy.served.path({ jti: 'a' });
    const ports = [proxy, ...others].map(({ port }) => port);
    for (const port of [...ports, ...ports, ...ports]) expect((await view(port, path)).status).toBe(200);
    expect((await invalidate(proxy)).status).toBeLessThan(300);
    const startedAt = performance.now();
    await expect
      .poll(() => Promise.all(ports.map(async (port) => (await view(port, path)).status)), {
        interval: 20,
        timeout: 10_000,
      })
      .toStrictEqual([status, status, status]);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });
});
