import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RenderQueue } from '../../src/renderer/render-queue.js';
import { RenderWorkers } from '../../src/renderer/render-workers.js';
import '../support/built.js';
import type { RenderedImage } from '../../src/renderer/image/image-renderer.js';
import { FIGURE } from '../support/figures.reporter.js';
import { getPicture, uploadSeed } from '../support/pictures.js';
import { createTenant, SEED, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';
import { signWithSdk } from '../support/location-parser.js';

/** A square as large as an image between two components may be. */
const SIDE = 4_990;
const LARGE = `c_scale,h_${SIDE},w_${SIDE}`;
/** The largest number that `work` allows on such an image. */
const HEAVIEST = [LARGE, ...Array.from({ length: 9 }, () => 'e_vignette')];
/** Milliseconds: far more than a thread that serves needs, far less than a render takes. */
const TIMEOUT = 2_000;

async function photo(): Promise<Buffer> {
  return sharp({ create: { width: 60, height: 40, channels: 3, background: '#456' } })
    .png()
    .toBuffer();
}

describe('a render worker', () => {
  const request = {
    originals: new Map([
      ['upload/a', { sha256: '', originalFilename: null, format: 'jpg', width: 10, height: 10 }],
    ]),
    deliveryType: 'upload',
    publicId: 'a',
    format: 'png',
    accept: undefined,
  } as const;
  let workers: RenderWorkers;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'heavy-'));
    const path = join(folder, 'photo');
    await writeFile(path, await photo());
    workers = new RenderWorkers({ pathOf: () => path }, { textStyles: new Map(), fonts: [] }, 1);
  });
  afterAll(async () => {
    await workers.onApplicationShutdown();
    await rm(folder, { recursive: true });
  });

  it('stops in the middle of a loop at its deadline, and the next render has another worker', async () => {
    const queue = new RenderQueue<RenderedImage>({ running: 1, waiting: 1, deadline: 300 });
    const stays = new AbortController().signal;
    const render = (chain: string[]) => (signal: AbortSignal) =>
      workers.render({ ...request, chain }, signal);
    const startedAt = performance.now();
    await expect(queue.run('heavy', stays, render(HEAVIEST))).rejects.toMatchObject({
      status: 503,
      message: 'The image took too long to render',
    });
    expect(performance.now() - startedAt).toBeLessThan(TIMEOUT);
    const second = new RenderQueue<RenderedImage>({ running: 1, waiting: 1, deadline: 20_000 });
    await expect(second.run('light', stays, render(['w_10']))).resolves.toMatchObject({ width: 10 });
  });

  it('stops when the last client has disconnected', async () => {
    const queue = new RenderQueue<RenderedImage>({ running: 1, waiting: 1, deadline: 20_000 });
    const left = new AbortController();
    const rendering = queue.run('left', left.signal, (signal) =>
      workers.render({ ...request, chain: HEAVIEST }, signal),
    );
    setTimeout(() => {
      left.abort();
    }, 200);
    await expect(rendering).rejects.toMatchObject({ status: 503 });
    await expect(
      workers.render({ ...request, chain: ['w_11'] }, new AbortController().signal),
    ).resolves.toMatchObject({
      width: 11,
    });
  });

  it('does not block this thread: a timer of 10 ms fires in time while it renders', async () => {
    let longest = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 10);
    const left = new AbortController();
    const rendering = workers.render({ ...request, chain: HEAVIEST }, left.signal);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    left.abort(new Error('enough'));
    await expect(rendering).rejects.toThrow('enough');
    clearInterval(timer);
    expect(longest).toBeLessThan(TIMEOUT / 2);
  });
});

describe('a service with the heaviest chains', () => {
  let service: Service;
  let tenant: Tenant;

  beforeAll(async () => {
    service = await startService({ DELIVERY_MODE: 'local' });
    tenant = await createTenant(service, { publicId: 'heavy', overlayPublicId: 'heavy_layer' });
    await uploadSeed(service, { delivery_type: 'upload' });
  });
  afterAll(() => service.close());

  const urlOf = (chain: readonly string[], signed: boolean): string => {
    const { publicId, version } = SEED;
    const parts = { publicId, deliveryType: 'upload', version, format: 'jpg', components: chain };
    return signWithSdk(parts, { sign_url: signed }).replace('https://res.cloudinary.com', service.url);
  };

  it.each([
    ['31 vignettes on the largest image', [LARGE, ...Array.from({ length: 31 }, () => 'e_vignette')], true],
    [
      '60 components without a token on a public original',
      [LARGE, ...Array.from({ length: 60 }, () => 'e_blur:2000')],
      false,
    ],
  ])('refuses %s before it is rendered', async (_, chain, signed) => {
    const { status, headers } = await getPicture(urlOf(chain, signed));
    expect([status, headers.get('x-cld-error')]).toStrictEqual([
      400,
      'The components process more than 250 megapixels in total. Use fewer, or resize first',
    ]);
  });

  it('continues to serve redirects and /health/live', async ({ annotate }) => {
    const rendering = getPicture(urlOf(HEAVIEST, true));
    const times: number[] = [];
    const startedAt = performance.now();
    while (performance.now() - startedAt < 5_000) {
      for (const path of [tenant.path(), '/health/live']) {
        const sentAt = performance.now();
        const { status } = await service.get(path);
        times.push(performance.now() - sentAt);
        expect(status).toBe(path === '/health/live' ? 200 : 302);
      }
    }
    expect(Math.max(...times)).toBeLessThan(TIMEOUT);
    await annotate(
      `redirects and /health/live beside the heaviest render: slowest of ${times.length} after ${Math.round(Math.max(...times))} ms`,
      FIGURE,
    );
    expect([200, 503]).toContain((await rendering).status);
  });
});
