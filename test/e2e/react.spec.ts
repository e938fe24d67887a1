import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hasBrowser, launchBrowser } from '../support/browser.js';
import { createCleanClone, SLOW, type CleanClone } from '../support/clean-clone.js';
import { uploadPictures } from '../support/pictures.js';
import { documentBlock } from '../support/readme.js';
import { post } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';

const ROOT = JSON.parse(readFileSync('package.json', 'utf8')) as {
  version: string;
  devDependencies: Readonly<Record<string, string>>;
};
const NEXT = '16.4.6';
const pinned = (...names: string[]): string =>
  names.map((name) => `${name}@${ROOT.devDependencies[name] ?? ''}`).join(' ');

let packed: CleanClone;
let service: Service;
let imageId: string;
let secret: string;
let dsn: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  packed = createCleanClone({ withService: false });
  await packed.run(packed.clone, 'npm pack --workspace @pixseal/client --workspace @pixseal/react');
  service = await startService({ DELIVERY_MODE: 'local' });
  const issuer = await post<{ id: string; key: { secret: string } }>(service, '/issuers', { name: 'React' });
  ({ imageId } = await uploadPictures(service, issuer.id, { image: { public_id: 'landscape' } }));
  ({ secret } = issuer.key);
  const url = new URL(service.url);
  [url.username, url.password] = [issuer.id, encodeURIComponent(secret)];
  dsn = url.href;
}, SLOW);
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(async () => {
  packed.remove();
  await service.close();
});

/** An installed copy of an example, with the packed tarballs. */
async function installExample(name: string, tarballs: readonly string[]): Promise<string> {
  const project = join(packed.folder, name);
  cpSync(join('examples', name), project, {
    recursive: true,
    filter: (path) => !/[/\\](?:node_modules|dist)$/.test(path),
  });
  const paths = tarballs.map((each) => `../pixseal/pixseal-${each}-${ROOT.version}.tgz`).join(' ');
  await packed.run(project, `npm install --no-save ${paths} && npm run build`);
  return project;
}

/** Starts a server in a project. @returns the URL that it prints. */
async function start(
  project: string,
  args: readonly string[],
  variables: Readonly<Record<string, string>>,
): Promise<string> {
  const child = spawn(process.execPath, args, {
    cwd: project,
    env: {
      PATH: process.env['PATH'],
      PORT: '0',
      PIXSEAL_DSN: dsn,
      NEXT_TELEMETRY_DISABLED: '1',
      ...variables,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  for await (const line of createInterface({ input: child.stdout })) {
    const [url] = /http:\/\/[\w.[\]:]+/.exec(line) ?? [];
    // Nest prints the address of IPv6 in brackets.
    if (url !== undefined && /:\d+$/.test(url.replace(/\/$/, ''))) return url.replace(/\/$/, '');
  }
  throw new Error(`${args.join(' ')} ended without a URL.`);
}

/** Text of every file of a folder. */
const textOf = (folder: string): string =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
    .join('\n');

/** The image of a page as the browser shows it. */
const SHOWN = `(() => {
  const image = document.querySelector('img');
  if (!image?.complete || image.naturalWidth === 0) return null;
  const { alt, sizes, srcset, currentSrc } = image;
  const candidates = srcset.split(', ').filter(Boolean).map((each) => each.split(' '));
  return { alt, sizes, widths: candidates.map(([, width]) => width), width: candidates.find(([url]) => url === currentSrc)?.[1],
    tokens: new Set(candidates.map(([url]) => new URL(url).searchParams.get('token'))).size };
})()`;

/** Opens a page in a window of this width, and returns its image once it is shown. */
async function show(browser: Browser, url: string, width: number): Promise<unknown> {
  const page = await browser.newPage({ viewport: { width, height: 700 } });
  try {
    const failures: string[] = [];
    page.on('pageerror', (error) => failures.push(error.message));
    await page.goto(url);
    await page.waitForFunction(`${SHOWN} !== null`);
    expect(failures).toStrictEqual([]);
    return await page.evaluate(SHOWN);
  } finally {
    await page.close();
  }
}

describe.runIf(hasBrowser())('in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  it(
    'examples/gallery-react shows the size that the window needs, and its bundle contains no signer',
    async () => {
      const project = await installExample('gallery-react', ['client', 'react']);
      writeFileSync(join(project, 'images.json'), JSON.stringify([{ id: imageId, alt: 'A landscape' }]));
      const url = await start(project, ['dist/server/server.js'], {});
      const expected = {
        alt: 'A landscape',
        sizes: '(min-width: 48rem) 33vw, 100vw',
        widths: ['200w', '400w', '800w', '1200w'],
        tokens: 4,
      };
      expect(await show(browser, url, 360)).toStrictEqual({ ...expected, width: '400w' });
      expect(await show(browser, url, 1200)).toStrictEqual({ ...expected, width: '400w' });
      expect(await show(browser, url, 767)).toStrictEqual({ ...expected, width: '800w' });
      const bundle = textOf(join(project, 'dist/web'));
      expect(bundle).toContain('srcSet');
      for (const signer of [secret, 'createHmac', 'importKey', 'PIXSEAL_DSN', 'signImage']) {
        expect(bundle).not.toContain(signer);
      }
      const response = await (await fetch(`${url}/api/images`)).text();
      expect(response).toContain(imageId);
      expect(response).not.toContain(secret);
    },
    SLOW,
  );

  it(
    'a server component of Next, and its image component, show the image without a secret in the browser',
    async () => {
      const project = join(packed.folder, 'next');
      for (const page of ['app/plain', 'app/unoptimized'])
        mkdirSync(join(project, page), { recursive: true });
      writeFileSync(join(project, 'package.json'), '{"private":true}');
      writeFileSync(
        join(project, 'app/layout.tsx'),
        `import type { ReactNode } from 'react';
         export default function Layout({ children }: { children: ReactNode }) {
           return <html lang="en"><body>{children}</body></html>;
         }`,
      );
      writeFileSync(
        join(project, 'app/plain/page.tsx'),
        documentBlock('docs/clients.md', '`@pixseal/react` / tsx 1'),
      );
      writeFileSync(
        join(project, 'app/unoptimized/page.tsx'),
        documentBlock('docs/clients.md', 'Next / tsx 1'),
      );
      const tarballs = ['client', 'react'].map((name) => `../pixseal/pixseal-${name}-${ROOT.version}.tgz`);
      await packed.run(
        project,
        `npm install --save-exact next@${NEXT} ${pinned('react', 'react-dom', 'typescript', '@types/react', '@types/node')} ${tarballs.join(' ')}
         NEXT_TELEMETRY_DISABLED=1 npx next build`,
      );
      const next = ['node_modules/next/dist/bin/next', 'start', '--hostname', '127.0.0.1', '--port', '0'];
      const url = await start(project, next, { IMAGE_ID: imageId });
      const expected = { alt: 'A landscape', sizes: '(min-width: 48rem) 33vw, 100vw', tokens: 3 };
      expect(await show(browser, `${url}/plain`, 767)).toStrictEqual({
        ...expected,
        widths: ['200w', '400w', '800w'],
        width: '800w',
      });
      expect(await show(browser, `${url}/unoptimized`, 767)).toMatchObject({ alt: 'A landscape' });
      const scripts = textOf(join(project, '.next/static'));
      for (const text of [scripts, await (await fetch(`${url}/plain`)).text()]) {
        expect(text).not.toContain(secret);
        expect(text).not.toContain('createHmac');
        expect(text).not.toContain('signImage:');
      }
    },
    SLOW,
  );
});

describe('@pixseal/react/server', () => {
  let project: string;
  beforeAll(async () => {
    project = join(packed.folder, 'server-entry');
    mkdirSync(project);
    writeFileSync(join(project, 'package.json'), '{"private":true,"type":"module"}');
    const tarballs = ['client', 'react'].map((name) => `../pixseal/pixseal-${name}-${ROOT.version}.tgz`);
    await packed.run(project, `npm install ${pinned('react', 'react-dom')} ${tarballs.join(' ')}`);
  }, SLOW);

  const SIGN = `signImage({ issuerId: 'i', secret: 's', baseUrl: 'https://img.example.com', imageId: 'x', widths: [20, 10, 20], aspectRatio: 2 })`;
  const RENDER = `.then((source) => console.log(renderToStaticMarkup(createElement(PixsealImage, { source, sizes: '50vw', alt: 'A "text"', className: 'card' })).replace(/token=[\\w.-]+/g, 'token=T')))`;

  it('signs for the component, as ES modules and as CommonJS', async () => {
    const names = [
      ['{ createElement }', 'react'],
      ['{ renderToStaticMarkup }', 'react-dom/server'],
      ['{ PixsealImage }', '@pixseal/react'],
      ['{ signImage }', '@pixseal/react/server'],
    ];
    const esm = names.map(([name, from]) => `import ${name ?? ''} from '${from ?? ''}';`).join('');
    const cjs = names.map(([name, from]) => `const ${name ?? ''} = require('${from ?? ''}');`).join('');
    writeFileSync(join(project, 'render.mjs'), esm + SIGN + RENDER);
    writeFileSync(join(project, 'render.cjs'), cjs + SIGN + RENDER);
    const url = 'https://img.example.com/images/x?token=T';
    for (const file of ['render.mjs', 'render.cjs']) {
      expect(await packed.run(project, `node ${file}`)).toBe(
        `<img loading="lazy" decoding="async" class="card" alt="A &quot;text&quot;" width="20" height="10" sizes="50vw" srcSet="${url} 10w, ${url} 20w" src="${url}"/>\n`,
      );
    }
  });

  it('fails a build for browsers, and throws where there is a document', async () => {
    writeFileSync(join(project, 'page.js'), `import { signImage } from '@pixseal/react/server';\n${SIGN};`);
    const build = `'${resolve('node_modules/.bin/vite')}' build`;
    writeFileSync(join(project, 'index.html'), '<script type="module" src="/page.js"></script>');
    await expect(packed.run(project, build)).rejects.toThrow('"signImage" is not exported by');
    writeFileSync(
      join(project, 'document.mjs'),
      `globalThis.document = {};
       await import('@pixseal/react/server').catch(({ message }) => console.log(message));`,
    );
    const message = '@pixseal/react/server signs with a secret, so it must not run in a browser.';
    expect(await packed.run(project, 'node document.mjs')).toContain(message);
    expect(await packed.run(project, 'node --conditions browser document.mjs')).toContain(message);
  });

  it('contains no signer in the bundle of the component', async () => {
    writeFileSync(
      join(project, 'page.js'),
      `import { PixsealImage } from '@pixseal/react';\nconsole.log(PixsealImage);`,
    );
    writeFileSync(join(project, 'index.html'), '<script type="module" src="/page.js"></script>');
    await packed.run(project, `'${resolve('node_modules/.bin/vite')}' build`);
    const bundle = textOf(join(project, 'dist'));
    expect(bundle).toContain('srcSet');
    for (const signer of ['createHmac', 'importKey', 'signToken', 'secret']) {
      expect(bundle).not.toContain(signer);
    }
  });
});

describe('examples/nest-gallery', () => {
  it(
    'lists a gallery by POST /deliveries, and the code of an image that cannot be delivered',
    async () => {
      const project = await installExample('nest-gallery', ['client']);
      const absent = '00000000-0000-4000-8000-000000000000';
      const url = await start(project, ['dist/main.js'], { IMAGE_IDS: `${imageId},${absent}` });
      const response = await fetch(`${url}/gallery`);
      expect(response.status).toBe(200);
      const listed = (await response.json()) as [{ url: string }, unknown];
      expect(listed).toStrictEqual([
        { id: imageId, url: expect.stringContaining('/c_fill,h_300,w_400/') as string },
        { id: absent, problem: 'image_not_found' },
      ]);
      const image = await fetch(new URL(listed[0].url, service.url));
      expect([image.status, image.headers.get('content-disposition')]).toStrictEqual([200, null]);
    },
    SLOW,
  );
});
