import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BLANK_IMAGE } from '../../src/redirect/blank-image.js';
import { createSeedTenant, SEED, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';
import { listen } from '../support/http.js';

const CHROMIUM = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';
const REQUIRED = process.env['REQUIRE_BROWSER'] === '1';
const hasCurl = (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, 'curl')));

/** True if the client is installed or required: then the test fails without it. */
function found(client: string, there: boolean): boolean {
  if (!there && !REQUIRED) {
    process.stderr.write(
      `\n*** LEFT OUT: the redirect as ${client} follows it. There is no ${client} here. ***\n\n`,
    );
  }
  return there || REQUIRED;
}

const folder = mkdtempSync(join(tmpdir(), 'pixseal-seen-'));

let service: Service;
let tenant: Tenant;
let path: string;

beforeAll(async () => {
  service = await startService();
  tenant = await createSeedTenant(service);
  path = tenant.path({ transformations: SEED.transformations, sharinpix: {} });
});
afterAll(() => service.close());

/** Checks the Location that a client was redirected to. */
const approve = (location: string): unknown =>
  service.assertAllowed(location, tenant.imageId, new URLSearchParams(path.split('?')[1]).get('token') ?? '');

describe('a real client in blank mode', () => {
  it.runIf(found('curl', hasCurl))('follows the redirect to an image: curl -L', async () => {
    const file = join(folder, 'curl.jpg');
    const { stdout } = await promisify(execFile)('curl', [
      ...['--silent', '--show-error', '--location', '--noproxy', '*', '--dump-header', '-', '--output', file],
      ...['--write-out', '%{num_redirects} %{http_code} %{content_type}', `${service.url}${path}`],
    ]);
    const location = /^location: (.*)\r$/im.exec(stdout)?.[1] ?? '';
    expect(approve(location)).toMatchObject({ prefix: `${service.url}/assets/blank.jpg` });
    expect(stdout.split('\n').at(-1)).toBe('1 200 image/jpeg');
    expect(readFileSync(file).equals(BLANK_IMAGE)).toBe(true);
  });

  it.runIf(found('Chromium', existsSync(CHROMIUM)))(
    'shows the image on a page of another origin: an <img> in Chromium',
    async () => {
      const page = await servePage(
        `<body style="background: teal"><img id="sealed" width="320" height="180" src="${service.url}${path}">`,
      );
      const browser = await chromium.launch({
        executablePath: CHROMIUM,
        args: [
          ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
          ...['--disable-background-networking', '--disable-component-update', '--no-proxy-server'],
        ],
      });
      try {
        const tab = await browser.newPage();
        const responses: { status: number; location: string | undefined; type: string | undefined }[] = [];
        tab.on('response', (response) => {
          const headers = response.headers();
          if (!response.url().startsWith(service.url)) return;
          responses.push({
            status: response.status(),
            location: headers['location'],
            type: headers['content-type'],
          });
        });
        await tab.goto(page.url, { waitUntil: 'load' });
        const image = tab.locator('#sealed');
        const [complete, naturalWidth, naturalHeight] = await image.evaluate((element) => {
          const {
            complete: done,
            naturalWidth: width,
            naturalHeight: height,
          } = element as unknown as {
            complete: boolean;
            naturalWidth: number;
            naturalHeight: number;
          };
          return [done, width, height] as const;
        });
        expect(complete).toBe(true);
        expect(naturalWidth).toBeGreaterThan(0);
        expect(naturalHeight).toBeGreaterThan(0);

        const [redirect, picture, ...others] = responses;
        expect(redirect).toMatchObject({ status: 302, type: 'text/html; charset=utf-8' });
        expect(approve(redirect?.location ?? '')).toMatchObject({
          prefix: `${service.url}/assets/blank.jpg`,
        });
        expect(picture).toMatchObject({ status: 200, type: 'image/jpeg' });
        expect(others).toStrictEqual([]);

        const shot = join(folder, 'chromium.png');
        const seen = await tab.screenshot({ path: shot });
        // The image is white and the page is not: without the image the pixels differ.
        await tab.addStyleTag({ content: '#sealed { visibility: hidden }' });
        expect(seen.equals(await tab.screenshot())).toBe(false);
        process.stdout.write(`The page as Chromium showed it: ${shot}\n`);
      } finally {
        await browser.close();
        page.server.close();
      }
    },
  );
});

/** A page on a separate origin, as the backends' pages are. */
async function servePage(body: string): Promise<{ url: string; server: Server }> {
  const server = createServer((request, response) => {
    response
      .writeHead(request.url === '/' ? 200 : 404, { 'content-type': 'text/html; charset=utf-8' })
      .end(request.url === '/' ? `<!doctype html><title>A page</title>${body}` : '');
  });
  const port = await listen(server);
  return { url: `http://127.0.0.1:${port}/`, server };
}
