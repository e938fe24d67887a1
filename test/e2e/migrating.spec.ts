import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { v2 as cloudinary } from 'cloudinary';
import { built } from '../support/built.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAdminApi, type AdminApi } from '../support/admin-api.js';
import { linkClient } from '../support/client-package.js';
import { assertLocation } from '../support/location-parser.js';
import { hasProgram } from '../support/programs.js';
import { SEED, signWith } from '../support/seed.js';
import { ADMIN_KEY, API_SECRET, CLOUD, startService, type Service } from '../support/service.js';
import { listen } from '../support/http.js';

interface Block {
  readonly language: string;
  readonly code: string;
}

const run = promisify(execFile);
const GUIDE = readFileSync('docs/migrating.md', 'utf8');
const [introduction = '', signing = '', sharinpix = ''] = GUIDE.split(/^## /m);
const blocksOf = (text: string, language: string): string[] =>
  [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
    .map(([, name = '', code = '']): Block => ({ language: name, code }))
    .filter((block) => block.language === language)
    .map(({ code }) => code);

const OPTIONS = { type: 'authenticated', sign_url: true, secure: true, format: 'jpg', urlAnalytics: false };
/** The SDK's URL for an image and steps, with this suite's account. */
const signed = (publicId: string, version: number, transformation: readonly object[]): string =>
  cloudinary.url(publicId, {
    ...OPTIONS,
    version,
    transformation: [...transformation],
    cloud_name: CLOUD,
    api_secret: API_SECRET,
  });

const hasShell = ['bash', 'curl', 'jq'].every((program) => hasProgram(program, 'the guides to migrate'));

let service: Service;
let folder: string;

beforeAll(async () => {
  service = await startService({ DELIVERY_MODE: 'cloudinary' });
});
afterAll(() => service.close());

/** The folder of the guide's reader: the two packages, and the command. */
async function createTempFolder(): Promise<string> {
  const created = mkdtempSync(join(tmpdir(), 'pixseal-migrating-'));
  mkdirSync(join(created, 'node_modules'));
  symlinkSync(join(process.cwd(), 'node_modules/cloudinary'), join(created, 'node_modules/cloudinary'));
  await linkClient(join(created, 'node_modules'));
  mkdirSync(join(created, 'bin'));
  const command = join(created, 'bin/pixseal');
  writeFileSync(command, `#!/bin/sh\nexec '${process.execPath}' '${built('server/pixseal.js')}' "$@"\n`);
  chmodSync(command, 0o755);
  return created;
}

/** Runs lines of the guide in one shell, after those of its introduction. */
async function shell(lines: readonly string[], variables: Readonly<Record<string, string>>): Promise<string> {
  const script = [...blocksOf(introduction, 'sh'), ...lines]
    .join('\n')
    .replace('API_KEY:API_SECRET@CLOUD_NAME', `123456789012345:${API_SECRET}@${CLOUD}`);
  const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: folder,
    env: {
      PATH: `${folder}/bin:${process.env['PATH'] ?? ''}`,
      PIXSEAL_SERVER: service.url,
      PIXSEAL_ADMIN_KEY: ADMIN_KEY,
      ...variables,
    },
  });
  return stdout;
}

describe.runIf(hasShell)('the guide for hand-made signing', () => {
  let api: AdminApi;
  /** The variables of its reader's shell at the end. */
  let variables: Record<'PIXSEAL_DSN' | 'IMAGE' | 'OVERLAY', string>;
  let said: string;

  beforeAll(async () => {
    folder = await createTempFolder();
    api = await startAdminApi({ cloudName: CLOUD, apiKey: '123456789012345', apiSecret: API_SECRET });
    api.assets = ['shoes/red', 'shoes/green', 'hats/red'].map((publicId) => ({
      public_id: publicId,
      type: 'authenticated',
      version: 1571218039,
      format: 'png',
    }));
    for (const code of blocksOf(signing, 'js')) {
      writeFileSync(join(folder, /^\/\/ ([\w.]+)/.exec(code)?.[1] ?? ''), code);
    }
    const printDemo = `printf '%s\\n' "$PIXSEAL_DSN" "$IMAGE" "$OVERLAY"`;
    said = await shell([...blocksOf(signing, 'sh'), printDemo], { CLOUDINARY_UPLOAD_PREFIX: api.url });
    const [dsn = '', image = '', overlay = ''] = said.trim().split('\n').slice(-3);
    variables = { PIXSEAL_DSN: dsn, IMAGE: image, OVERLAY: overlay };
  });
  afterAll(async () => {
    await api.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('leads to a URL that equals the SDK’s', async () => {
    expect(said.split('\n')).toContain('equal');
    const { location = '' } = await follow((await run(process.execPath, ['after.mjs'], inFolder())).stdout);
    const before = (await run(process.execPath, ['before.mjs'], inFolder())).stdout;
    expect(location).toBe(before.trim().replace(/\?_a=.*/, ''));
    assertLocation(location, { layers: ['private:marks:shop'], images: ['shoes/red'] });
  });

  it('returns an id for each requested image', () => {
    const ids = readFileSync(join(folder, 'ids.tsv'), 'utf8').trim().split('\n');
    expect(ids.map((line) => line.split('\t')[0]).toSorted()).toStrictEqual(['shoes/green', 'shoes/red']);
    expect(ids).toContain(`shoes/red\t${variables.IMAGE}`);
  });

  const LANGUAGES: readonly (readonly [language: string, program: string, file: string])[] = [
    ['ruby', 'ruby', 'mint.rb'],
    ['python', 'python3', 'mint.py'],
    ['php', 'php', 'mint.php'],
  ];

  it.each(LANGUAGES)('has in %s the code that it has in JavaScript', (language) => {
    // Words and numbers only: brackets, quotes and arrows are the language's.
    const wordsOf = (code: string): string[] =>
      (/'shoes\/red'[\s\S]*?tiled/.exec(code)?.[0] ?? '').toLowerCase().match(/[\w/]+/g) ?? [];
    const [, before = ''] = blocksOf(signing, 'js');
    expect(wordsOf(before).length).toBeGreaterThan(20);
    expect(wordsOf(blocksOf(signing, language)[0] ?? '')).toStrictEqual(wordsOf(before));
  });

  it.each(LANGUAGES.filter(([language, program]) => hasProgram(program, `the guide’s steps in ${language}`)))(
    'has steps in %s that lead to the same URL',
    async (language, program, file) => {
      const [shown = ''] = blocksOf(readFileSync('docs/languages.md', 'utf8'), language);
      const [, steps = ''] = blocksOf(signing, language);
      const minted = shown.replace(/'?transformations'?(?::| =>) \[.*?\]\]?(?=[,\s}\];])/, () =>
        steps.trim(),
      );
      expect(minted).not.toBe(shown);
      writeFileSync(join(folder, file), minted);
      const { stdout } = await run(program, [file, variables.IMAGE], inFolder());
      const { location = '' } = await follow(stdout);
      expect(location).toBe(
        signed('shoes/red', 1571218039, [
          { width: 400, height: 300, crop: 'fill' },
          { overlay: 'private:marks:shop', opacity: 40, flags: 'tiled' },
        ]),
      );
    },
  );

  it.each<[what: string, options: object, steps: () => readonly object[]]>([
    [
      'options beside the list',
      { transformation: [{ angle: 90 }], width: 100, crop: 'scale' },
      () => [{ angle: 90 }, { width: 100, crop: 'scale' }],
    ],
    ['a named transformation', { transformation: 'card' }, () => [{ transformation: 'card' }]],
    [
      'an overlay’s object',
      { overlay: { public_id: 'marks/shop', type: 'private' }, width: 50 },
      () => [{ overlay: variables.OVERLAY, width: 50 }],
    ],
    [
      'a text',
      { overlay: { text: 'Jane, 5/5', font_family: 'Arial', font_size: 40 }, gravity: 'south' },
      () => [{ overlay: { text: 'Jane, 5/5', font_family: 'Arial', font_size: 40 }, gravity: 'south' }],
    ],
    ['a format to convert to', { fetch_format: 'webp' }, () => [{ fetch_format: 'webp' }]],
  ])('has a correct table for %s', async (_, options, steps) => {
    const dsn = new URL(variables.PIXSEAL_DSN);
    const token = signWith(decodeURIComponent(dsn.password), {
      iss: dsn.username,
      transformations: steps(),
    });
    const { location = '' } = await follow(`${service.url}/images/${variables.IMAGE}?token=${token}`);
    expect(location).toBe(
      cloudinary.url('shoes/red', {
        ...OPTIONS,
        version: 1571218039,
        cloud_name: CLOUD,
        api_secret: API_SECRET,
        ...options,
      }),
    );
  });

  const inFolder = (): object => ({
    cwd: folder,
    env: {
      ...process.env,
      ...variables,
      CLOUDINARY_URL: `cloudinary://123456789012345:${API_SECRET}@${CLOUD}`,
    },
  });
  /** The headers of the redirect for a URL that a program printed. */
  async function follow(printed: string): Promise<{ readonly location?: string }> {
    const { pathname, search } = new URL(printed.trim());
    const { status, headers } = await service.get(pathname + search);
    expect(status).toBe(302);
    return headers as { location?: string };
  }
});

describe.runIf(hasShell)('the guide for a SharinPix-like API', () => {
  const OLD_SECRET = 'the-secret-that-the-old-service-had-0123456789';
  const BASE = [
    { width: 1920, height: 1920, crop: 'fit' },
    { flags: 'attachment' },
    { raw_transformation: 'dpr_auto,q_auto,f_auto' },
  ];
  const MARKED = [
    { overlay: `private:${SEED.overlayPublicId}`, width: 200, flags: 'tiled' },
    { width: 101, height: 102, crop: 'fit' },
  ];
  /** Claims of existing tokens, their paths, and the SDK's URLs for them. */
  const LINKS: readonly (readonly [name: string, claims: object, steps: readonly object[]])[] = [
    [SEED.imageId, { transformations: SEED.transformations, sharinpix: {} }, [...BASE, ...MARKED]],
    [
      SEED.imageId,
      { transformations: SEED.transformations, sharinpix: { download: false } },
      [BASE[0] ?? {}, BASE[2] ?? {}, ...MARKED],
    ],
    [
      SEED.imageId,
      { transformations: SEED.transformations, sharinpix: { original: true } },
      [{ flags: 'attachment' }],
    ],
    ['image.jpg', { image_id: SEED.imageId, transformations: [{ angle: 90 }] }, [...BASE, { angle: 90 }]],
    [SEED.imageId, { abilities: { any: { Access: { see: true } } }, sharinpix: { more: 1 } }, BASE],
  ];

  let old: Server;
  let oldService: string;
  let paths: readonly string[];

  beforeAll(async () => {
    folder = await createTempFolder();
    paths = LINKS.map(
      ([name, claims]) => `/images/${name}?token=${signWith(OLD_SECRET, { iss: SEED.issuerId, ...claims })}`,
    );
    // The old service's responses, as the SDK signs them.
    old = createServer(({ url = '' }, response) => {
      const steps = LINKS[paths.indexOf(url)]?.[2] ?? [{ effect: 'sepia' }];
      response.writeHead(302, { location: signed(SEED.publicId, SEED.version, steps) }).end();
    });
    const port = await listen(old);
    oldService = `http://127.0.0.1:${port}`;
    const [image = '', overlay = ''] = blocksOf(sharinpix, 'json');
    writeFileSync(join(folder, 'images.jsonl'), asLine(image));
    writeFileSync(join(folder, 'overlays.jsonl'), asLine(overlay));
  });
  afterAll(() => {
    old.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('leads to no difference, and its check finds differences', async () => {
    const [, , issuers = '', rows = '', check = ''] = blocksOf(sharinpix, 'sh');
    writeFileSync(join(folder, 'paths.txt'), paths.map((path) => `${path}\n`).join(''));
    const settings = { OLD_SECRET, OLD_SERVER: oldService };
    expect(await shell([issuers, rows, check], settings)).toBe(
      `${LINKS.length} redirects are equal; 0 requests are refused by both\n`,
    );
    for (const [index, [, , steps]] of LINKS.entries()) {
      const { headers } = await service.get(paths[index] ?? '');
      const { location = '' } = headers;
      expect(location).toBe(signed(SEED.publicId, SEED.version, steps));
      assertLocation(location, {
        layers: [`private:${SEED.overlayPublicId}`],
        images: [SEED.publicId],
      });
    }

    const other = signWith(OLD_SECRET, { iss: SEED.issuerId });
    writeFileSync(join(folder, 'paths.txt'), `/images/${SEED.imageId}?token=${other}\n`);
    expect(await shell([check], settings)).toMatch(
      /^differs: \/images\/.*\n.*e_sepia.*\n.*dpr_auto.*\n0 redirects are equal; 0 requests/,
    );
  });

  it('finds the tokens that an ignored claim was meant to bind', async () => {
    const [count = '', bound = ''] = blocksOf(sharinpix, 'sh');
    const withClaims = (claims: object): string => signWith(OLD_SECRET, { iss: SEED.issuerId, ...claims });
    const lines = [
      `/images/${SEED.imageId}?token=${withClaims({ id: SEED.imageId, sharinpix: { full_size: true } })}`,
      `"GET /images/photo.jpg?token=${withClaims({ Id: SEED.imageId })}&x=1 HTTP/1.1" 302`,
      // Payloads of every length, to cover each kind of padding.
      ...['a', 'ab', 'abc', 'é', '日本?>~'].map((sub) => `https://img/?token=${withClaims({ sub })}#x`),
      '/images/x?token=not.aToken.x',
      '/health/live',
    ];
    writeFileSync(join(folder, 'paths.txt'), lines.map((line) => `${line}\n`).join(''));
    expect((await shell([count], {})).trim().split(/\s*\n\s*/)).toStrictEqual([
      '5 ["iss","sub"]',
      '1 ["id","iss","sharinpix","sharinpix.full_size"]',
      '1 ["Id","iss"]',
    ]);
    const found = (await shell([count, bound], {})).split('\n').slice(3);
    expect(found).toStrictEqual([
      JSON.stringify({ iss: SEED.issuerId, id: SEED.imageId, sharinpix: { full_size: true } }),
      JSON.stringify({ iss: SEED.issuerId, Id: SEED.imageId }),
      '',
    ]);
  });

  it('leaves the old secret as the issuer’s only key', async () => {
    const received = await service.admin('GET', `/issuers/${SEED.issuerId}`);
    const { id } = JSON.parse(readFileSync(join(folder, 'key.json'), 'utf8')) as { id: string };
    const { keys } = received.json() as { keys: { id: string; revoked_at?: string | null }[] };
    expect(keys.map((key) => key.id)).toStrictEqual([id]);
  });

  /** The guide's formatter may break a line of the file. */
  const asLine = (json: string): string => `${JSON.stringify(JSON.parse(json))}\n`;
});
