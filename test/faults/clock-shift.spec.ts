import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { FIGURE } from '../support/figures.reporter.js';
import { request } from '../support/http.js';
import { requestAdmin, createServedImage, ownDatabase, type ServedImage } from '../support/owned.js';
import { ownProcess, type ServiceProcess } from '../support/service-process.js';
import { TEST_VARIABLES } from '../support/service.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import type { TestDatabase } from '../support/test-database.js';
import { waitUntil } from '../support/wait-until.js';

const HOUR = 3_600_000;
/** Seconds. */
const MAX_STALE = 4;
const SLACK = 4;

/** A service whose wall clock a test can set. */
interface ShiftedService {
  readonly service: ServiceProcess;
  readonly image: ServedImage;
  /** Shifts its clock. @param shift Milliseconds. */
  readonly shift: (shift: number) => Promise<void>;
  readonly statusOf: (claims?: Readonly<Record<string, unknown>>) => Promise<number>;
}

async function startShifted(database: TestDatabase, variables = {}): Promise<ShiftedService> {
  const folder = mkdtempSync(join(tmpdir(), 'pixseal-clock-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const file = join(folder, 'shift');
  const service = await ownProcess({
    ...TEST_VARIABLES,
    ...database.variables,
    ...variables,
    SHIFT_FILE: file,
    NODE_OPTIONS: `--import=${pathToFileURL(resolve('test/support/shifted-clock.js')).href}`,
  });
  const image = await createServedImage(service);
  const statusOf: ShiftedService['statusOf'] = async (claims) =>
    (await request({ port: service.port, path: image.path(claims) })).status;
  return {
    service,
    image,
    statusOf,
    shift: async (shift) => {
      writeFileSync(file, String(shift));
      service.kill('SIGWINCH');
      // The signal has been handled once the process checks a token by the shifted clock.
      const there = Math.floor((Date.now() + shift) / 1_000);
      await waitUntil(
        'its clock is set',
        async () => (await statusOf({ nbf: there - 60, iat: there - 60, exp: there + 60 })) === 302,
      );
    },
  };
}

const seconds = (shift = 0): number => Math.floor((Date.now() + shift) / 1_000);

describe('a wall clock that is set', () => {
  it('an hour forward and back affects the times of tokens, and no revocation', async () => {
    const { service, image, shift, statusOf } = await startShifted(await ownDatabase());
    await requestAdmin(service, 'POST', `/issuers/${image.issuerId}/revocations`, { jti: 'revoked' });
    const claims = {
      ends: { exp: seconds() + 600 },
      begins: { nbf: seconds() + 1_800 },
      ended: { exp: seconds() - 600 },
      issued: { iat: seconds() },
      revoked: { jti: 'revoked' },
      plain: {},
    };
    const statuses = async (): Promise<Record<string, number>> =>
      Object.fromEntries(
        await Promise.all(
          Object.entries(claims).map(async ([name, each]) => [name, await statusOf(each)] as const),
        ),
      );
    expect(await statuses()).toStrictEqual({
      ends: 302, begins: 401, ended: 401, issued: 302, revoked: 401, plain: 302,
    }); // prettier-ignore
    await shift(HOUR);
    expect(await statuses()).toStrictEqual({
      ends: 401, begins: 302, ended: 401, issued: 302, revoked: 401, plain: 302,
    }); // prettier-ignore
    await shift(-HOUR);
    expect(await statuses()).toStrictEqual({
      ends: 302, begins: 401, ended: 302, issued: 401, revoked: 401, plain: 302,
    }); // prettier-ignore
    await shift(0);
    expect((await statuses())['ends']).toBe(302);
  });

  it('does not affect rate limits: an hour forward allows no more, an hour back blocks no client', async () => {
    const { shift, statusOf } = await startShifted(await ownDatabase(), { RATE_LIMIT_ISSUER: '60' });
    const sendRequest = async (count: number): Promise<Set<number>> =>
      new Set(await Promise.all(Array.from({ length: count }, () => statusOf())));
    expect(await sendRequest(80)).toStrictEqual(new Set([302, 429]));
    await shift(-HOUR);
    // One token a second is refilled, by the monotonic clock.
    await waitUntil('it is accepted', async () => (await statusOf()) === 302);
    await shift(HOUR);
    expect(await sendRequest(80)).toContain(429);
  });

  it.runIf(inject('database').kind === 'postgres').for([
    ['forth', HOUR],
    ['back', -HOUR],
  ] as const)('an hour %s does not change how long rows are cached', async ([name, by], { annotate }) => {
    const database = await ownDatabase();
    const url = database.variables['DATABASE_URL'] ?? '';
    const proxy = await TcpProxy.before(url);
    onTestFinished(() => proxy.close());
    const { service, image, shift, statusOf } = await startShifted(database, {
      DATABASE_URL: proxy.urlOf(url),
      MAX_STALE: String(MAX_STALE),
    });
    await shift(by);
    // All writes were received a while ago: rows read from now on stay cached.
    await waitUntil('it is received', async () => (await statusOf()) === 302);
    await new Promise((done) => setTimeout(done, 1_500));
    expect(await statusOf()).toBe(302);
    await shift(0);

    proxy.refuse();
    const startedAt = performance.now();
    await shift(by);
    while (performance.now() - startedAt < 1_000 * (MAX_STALE - 2)) expect(await statusOf()).toBe(302);
    await waitUntil('the bound is passed', async () => (await statusOf()) === 503);
    const servedFor = performance.now() - startedAt;
    expect(servedFor).toBeLessThan(1_000 * (MAX_STALE + SLACK));
    await annotate(
      `clock set an hour ${name} without the database: warm served for ${servedFor.toFixed(0)} ms with MAX_STALE=${MAX_STALE}`,
      FIGURE,
    );

    proxy.restore();
    await waitUntil('it has recovered', async () => (await statusOf()) === 302);
    // Changes are received, whatever the clock.
    await requestAdmin(service, 'PATCH', `/issuers/${image.issuerId}`, { disabled: true });
    expect(await statusOf()).toBe(401);
  });
});
