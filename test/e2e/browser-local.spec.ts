import { createServer, type Server } from 'node:http';
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import '../support/built.js';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasBrowser, launchBrowser } from '../support/browser.js';
import { uploadSeed } from '../support/pictures.js';
import { signWith, SEED } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';
import { listen } from '../support/http.js';

const SIZE = { width: 600, crop: 'fit' } as const;
const WATERMARK = { overlay: SEED.overlayId, width: 150, flags: 'tiled' } as const;

/** What a page shows of its one image. */
interface PageView {
  readonly event: 'load' | 'error';
  readonly width: number;
  /** The status of each response, that of the redirect first. */
  readonly statuses: readonly number[];
  /** The target of the redirect. */
  readonly location: string | undefined;
  /** The pixels of the image on the screen, RGB. */
  readonly pixels: Buffer;
}

interface BrowserResponse {
  readonly status: number;
  readonly location: string | undefined;
}

/**
 * Every response that reaches the browser, by Chromium's own protocol: an error for an `<img>` of another origin is
 * visible neither to the page nor to Playwright's events.
 */
async function recordResponses(page: Page): Promise<(origin: string) => readonly BrowserResponse[]> {
  const session = await page.context().newCDPSession(page);
  const urls = new Map<string, string>();
  const responses: (BrowserResponse & { readonly request: string })[] = [];
  session.on('Network.requestWillBeSent', ({ requestId, request }) => {
    // A redirect keeps the id; its first URL identifies the image.
    if (!urls.has(requestId)) urls.set(requestId, request.url);
  });
  session.on('Network.responseReceivedExtraInfo', ({ requestId, statusCode, headers }) => {
    const location = headers['Location'] ?? headers['location'];
    responses.push({ request: requestId, status: statusCode, location });
  });
  await session.send('Network.enable');
  return (origin) =>
    responses
      .filter(({ request }) => urls.get(request)?.startsWith(origin) === true)
      .map(({ status, location }) => ({ status, location }));
}

describe.runIf(hasBrowser())('a signed image in a page of another origin', () => {
  let service: Service;
  let site: Server;
  let browser: Browser;
  let secret: string;

  beforeAll(async () => {
    service = await startService({ DELIVERY_MODE: 'local' });
    secret = await uploadSeed(service);
    site = createServer((request, response) => {
      const src = new URL(request.url ?? '/', 'http://site').searchParams.get('src') ?? '';
      response.setHeader('Content-Type', 'text/html; charset=utf-8');
      response.end(
        `<!doctype html><body style="margin:0"><img id="picture" alt=""
          onload="this.dataset.event='load'" onerror="this.dataset.event='error'" src="${src.replaceAll('&', '&amp;').replaceAll('"', '&quot;')}">`,
      );
    });
    await listen(site);
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser.close();
    site.close();
    await service.close();
  });

  /** A token with these steps, as an issuer's backend signs it. */
  const mint = (transformations: readonly unknown[]): string =>
    signWith(secret, { iss: SEED.issuerId, transformations, sharinpix: { download: false } });
  const imageUrl = (token: string): string => `${service.url}/images/${SEED.imageId}?token=${token}`;

  async function look(src: string): Promise<PageView> {
    const context = await browser.newContext({ viewport: { width: 640, height: 480 } });
    try {
      const page: Page = await context.newPage();
      const responses = await recordResponses(page);
      const { port } = site.address() as AddressInfo;
      await page.goto(`http://127.0.0.1:${port}/?src=${encodeURIComponent(src)}`);
      const picture = page.locator('#picture[data-event]');
      await picture.waitFor({ state: 'attached' });
      const event = (await picture.getAttribute('data-event')) as PageView['event'];
      const width = await picture.evaluate((element: { naturalWidth: number }) => element.naturalWidth);
      const shot = await page.screenshot({ clip: { x: 0, y: 0, width: 600, height: 400 } });
      const pixels = await sharp(shot).removeAlpha().raw().toBuffer();
      const ofService = responses(service.url);
      return {
        event,
        width,
        pixels,
        statuses: ofService.map(({ status }) => status),
        location: ofService.find(({ location }) => location !== undefined)?.location,
      };
    } finally {
      await context.close();
    }
  }

  /** The fraction of the pixels of a screen area, 600 pixels wide, that differ visibly. */
  function difference(one: Buffer, other: Buffer, fromX: number, fromY: number): number {
    let changed = 0;
    for (let y = fromY; y < fromY + 75; y += 1) {
      for (let x = fromX; x < fromX + 150; x += 1) {
        const at = (y * 600 + x) * 3;
        if (Math.abs((one[at] ?? 0) - (other[at] ?? 0)) > 24) changed += 1;
      }
    }
    return changed / (150 * 75);
  }

  it('is watermarked on the screen, tile by tile', async () => {
    const marked = await look(imageUrl(mint([SIZE, WATERMARK])));
    const plain = await look(imageUrl(mint([SIZE])));
    for (const view of [marked, plain]) {
      expect(view).toMatchObject({ event: 'load', width: 600, statuses: [302, 200] });
    }
    for (let y = 0; y + 75 <= 400; y += 75) {
      for (let x = 0; x < 600; x += 150) {
        expect(difference(marked.pixels, plain.pixels, x, y), `tile at ${x}, ${y}`).toBeGreaterThan(0.03);
      }
    }
  });

  it('is not shown if the overlay is removed from the token', async () => {
    const [header = '', payload = '', mac = ''] = mint([SIZE, WATERMARK]).split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
    const forged = Buffer.from(JSON.stringify({ ...claims, transformations: [SIZE] })).toString('base64url');
    expect(forged).not.toBe(payload);
    const view = await look(imageUrl([header, forged, mac].join('.')));
    expect(view).toMatchObject({ event: 'error', width: 0, statuses: [401] });
  });

  it('is not shown if one character of the signed URL is changed', async () => {
    const { location = '' } = await look(imageUrl(mint([SIZE, WATERMARK])));
    expect(location.startsWith(`${service.url}/`)).toBe(true);
    expect(await look(location)).toMatchObject({ event: 'load', statuses: [200] });
    // The overlay's width, in the signed part.
    const wider = location.replace('w_150', 'w_151');
    expect(wider).not.toBe(location);
    expect(await look(wider)).toMatchObject({ event: 'error', width: 0, statuses: [401] });
    const signature = /s--(.)/.exec(location)?.[1] ?? '';
    const forged = location.replace(/s--./, `s--${signature === 'a' ? 'b' : 'a'}`);
    expect(await look(forged)).toMatchObject({ event: 'error', width: 0, statuses: [401] });
  });
});
