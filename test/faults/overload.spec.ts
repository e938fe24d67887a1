import { get } from 'node:http';
import { availableParallelism } from 'node:os';
import '../support/built.js';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { HttpResponse } from '../support/http.js';
import { getPicture, uploadSeed } from '../support/pictures.js';
import { SEED } from '../support/seed.js';
import { NO_PRESSURE, startService, type Service } from '../support/service.js';
import { signWithSdk } from '../support/location-parser.js';

/** Running and waiting renders (src/renderer/renderer.module.ts), and those beyond the limit. */
const ROOM = availableParallelism() + 100;
const CLIENTS = ROOM + 60;
/** Some get a place that has become free meanwhile. */
const REFUSED = 20;
/** Milliseconds. */
const TIMEOUT = 10_000;

let service: Service;

beforeAll(async () => {
  service = await startService({ DELIVERY_MODE: 'local' });
  await uploadSeed(service);
});
afterAll(() => service.close());

/** A unique signed URL, so that none of it is rendered yet. */
function urlOf(chain: string): string {
  const { publicId, version } = SEED;
  const parts = { publicId, deliveryType: 'authenticated', version, format: 'jpg', components: [chain] };
  return signWithSdk(parts).replace('https://res.cloudinary.com', service.url);
}

/** A client that has got its response, or has disconnected. */
interface Seen {
  readonly status: number | 'left';
  readonly retryAfter?: string | undefined;
  readonly reason?: unknown;
}

function sendRequest(url: string): { readonly seen: Promise<Seen>; readonly leave: () => void } {
  const request = get(url, { agent: false });
  const seen = new Promise<Seen>((resolve) => {
    request.on('response', (response) => {
      response.resume();
      const { 'retry-after': retryAfter, 'x-cld-error': reason } = response.headers;
      resolve({ status: response.statusCode ?? 0, retryAfter, reason });
    });
    request.on('error', () => {
      resolve({ status: 'left' });
    });
  });
  return {
    seen,
    leave: () => {
      request.destroy();
    },
  };
}

describe('more renders than the limit', () => {
  it('get 503 with Retry-After; disconnected clients free their places, and the service survives', async () => {
    const clients = Array.from({ length: CLIENTS }, (_, index) =>
      sendRequest(urlOf(`c_scale,w_${1400 + index}/e_blur:900/e_sharpen`)),
    );
    // The refusals return at once; the other renders would take minutes.
    const refused: Seen[] = [];
    await new Promise<void>((resolve) => {
      for (const { seen } of clients) {
        void seen.then((each) => {
          if (each.status === 503 && refused.push(each) === REFUSED) resolve();
        });
      }
    });
    for (const each of refused) {
      expect(each).toEqual({
        status: 503,
        retryAfter: '1',
        reason: 'Too many images are being rendered',
      });
    }
    for (const { leave } of clients) leave();
    const all = await Promise.all(clients.map(({ seen }) => seen));
    const count = (status: Seen['status']): number => all.filter((each) => each.status === status).length;
    expect(count('left')).toBeGreaterThan(CLIENTS / 2);
    expect(count('left') + count(503) + count(200)).toBe(CLIENTS);

    // If a hundred renders were still waiting, this one would be refused for half a minute, or wait behind them.
    const start = performance.now();
    let response = await getPicture(urlOf('c_fit,w_40'));
    while (response.status === 503 && performance.now() - start < TIMEOUT) {
      await new Promise((resolve) => setTimeout(resolve, Number(response.headers.get('retry-after')) * 1000));
      response = await getPicture(urlOf('c_fit,w_40'));
    }
    expect(response.status).toBe(200);
    expect(performance.now() - start).toBeLessThan(TIMEOUT);
    expect((await service.get('/health/ready')).status).toBe(200);
  });
});

describe('an overloaded process', () => {
  it('returns 503 with Retry-After, stays live, and serves again when the load is over', async () => {
    const service = await startService({}, undefined, {
      pressure: { ...NO_PRESSURE, maxEventLoopDelay: 400, sampleInterval: 500 },
    });
    onTestFinished(() => service.close());
    const sendRequest = (): Promise<HttpResponse> =>
      service.get('/images/00000000-0000-4000-8000-000000000000');
    const settled = { timeout: 30_000 };
    await expect.poll(async () => (await sendRequest()).status, settled).toBe(401);
    let refused: HttpResponse;
    do {
      // The event loop is blocked for longer than a sample, as by too much work.
      const until = performance.now() + 3_000;
      while (performance.now() < until);
      refused = await sendRequest();
    } while (refused.status !== 503);
    expect((await service.get('/health/live')).status).toBe(200);
    expect(refused.json()).toMatchObject({ code: 'overloaded', status: 503 });
    expect(refused.headers).toMatchObject({ 'retry-after': '1', p3p: expect.any(String) as string });
    await expect.poll(async () => (await sendRequest()).status, settled).toBe(401);
  });

  it('is also one whose memory exceeds its limit', async () => {
    const service = await startService({}, undefined, {
      pressure: { ...NO_PRESSURE, maxRssBytes: 1_000_000, sampleInterval: 50 },
    });
    onTestFinished(() => service.close());
    await expect.poll(async () => (await service.get('/health/ready')).status).toBe(503);
    expect((await service.get('/health/live')).status).toBe(200);
  });
});
