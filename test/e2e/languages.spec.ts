import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { built } from '../support/built.js';
import { documentBlock } from '../support/readme.js';
import { createSeedTenant, post, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';
import { TOKEN_VECTORS, type TokenVector } from '../support/token-vectors.js';

interface Language {
  /** The program, and the arguments before the file's name. */
  readonly command: readonly [program: string, ...args: string[]];
  readonly file: string;
  readonly block: string;
  /** The block's expression for the expiry. */
  readonly exp: string;
  /** The same for a known expiry, in a language that refuses unused imports. */
  readonly fixedExp?: (exp: number) => string;
  /** The block's steps, and in their place those of the vector with a text. */
  readonly steps: readonly [block: string, text: string];
  /** Whether `REQUIRE_LANGUAGES=1` requires it. */
  readonly required: boolean;
}

const [vector, , , textVector] = TOKEN_VECTORS as readonly TokenVector[];
if (vector === undefined || textVector === undefined) throw new Error('vectors/tokens.json is incomplete.');
const STEPS = JSON.stringify(vector.claims.transformations);
const TEXT_STEPS = JSON.stringify(textVector.claims.transformations);

/** By the language of the blocks in docs/languages.md. Debian's Java and Go are too large to require everywhere. */
const LANGUAGES: Readonly<Record<string, Language>> = {
  ruby: {
    block: documentBlock('docs/languages.md', 'Ruby / ruby 1'),
    command: ['ruby'],
    file: 'mint.rb',
    exp: 'Time.now.to_i + 3600',
    steps: [
      "[{ width: 400, height: 300, crop: 'fill' }]",
      "[{ overlay: { text: 'Zoë 🙂 5/5', font_family: 'Arial', font_size: 40 } }]",
    ],
    required: true,
  },
  python: {
    block: documentBlock('docs/languages.md', 'Python / python 1'),
    command: ['python3'],
    file: 'mint.py',
    exp: 'int(time.time()) + 3600',
    steps: [
      "[{'width': 400, 'height': 300, 'crop': 'fill'}]",
      "[{'overlay': {'text': 'Zoë 🙂 5/5', 'font_family': 'Arial', 'font_size': 40}}]",
    ],
    required: true,
  },
  php: {
    block: documentBlock('docs/languages.md', 'PHP / php 1'),
    command: ['php'],
    file: 'mint.php',
    exp: 'time() + 3600',
    steps: [
      "[['width' => 400, 'height' => 300, 'crop' => 'fill']]",
      "[['overlay' => ['text' => 'Zoë 🙂 5/5', 'font_family' => 'Arial', 'font_size' => 40]]]",
    ],
    required: true,
  },
  perl: {
    block: documentBlock('docs/languages.md', 'Perl / perl 1'),
    command: ['perl'],
    file: 'mint.pl',
    exp: 'time + 3600',
    steps: [STEPS, TEXT_STEPS],
    required: true,
  },
  java: {
    block: documentBlock('docs/languages.md', 'Java / java 1'),
    command: ['java'],
    file: 'Mint.java',
    exp: 'System.currentTimeMillis() / 1000 + 3600',
    steps: [
      STEPS,
      String.raw`[{"overlay":{"text":"Zo\u00eb \ud83d\ude42 5/5","font_family":"Arial","font_size":40}}]`,
    ],
    required: false,
  },
  go: {
    block: documentBlock('docs/languages.md', 'Go / go 1'),
    command: ['go', 'run'],
    file: 'mint.go',
    exp: 'time.Now().Unix()+3600',
    fixedExp: (exp) => `time.Unix(${exp}, 0).Unix()`,
    steps: [STEPS, TEXT_STEPS],
    required: false,
  },
};

const isInstalled = ({ command: [program] }: Language): boolean =>
  spawnSync(program, [program === 'go' ? 'version' : '--version']).status === 0;
const found = Object.entries(LANGUAGES).filter(([, language]) => isInstalled(language));
const missing = Object.entries(LANGUAGES).filter(([name]) => !found.some(([there]) => there === name));
if (missing.length > 0) {
  const names = missing.map(([name]) => name).join(', ');
  process.stderr.write(
    `\n*** LEFT OUT: docs/languages.md's blocks in ${names}, which this machine cannot run. ***\n\n`,
  );
}

const { claims } = vector;
const DSN = `https://${claims.iss}:${encodeURIComponent(vector.key.secret)}@images.example.com`;

let service: Service;
let tenant: Tenant;
let dsn: string;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pixseal-languages-'));
  service = await startService();
  tenant = await createSeedTenant(service);
  ({ dsn } = await post<{ dsn: string }>(service, `/issuers/${tenant.issuerId}/keys`, {
    secret: vector.key.secret,
  }));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await service.close();
});

/** Runs a program of the document like its reader. @returns What it prints. */
async function run({ command, file }: Language, block: string, ids: readonly string[], dsn: string) {
  const path = join(folder, file);
  writeFileSync(path, block);
  const [program, ...args] = command;
  const { stdout } = await promisify(execFile)(program, [...args, path, ...ids], {
    env: { ...process.env, PIXSEAL_DSN: dsn, GOCACHE: join(folder, 'go') },
  });
  return stdout.trim();
}

describe('pixseal token mint', () => {
  const minted = TOKEN_VECTORS.filter(({ claims: { iat, nbf } }) => iat !== undefined && nbf === undefined);

  it('has vectors of its own', () => {
    expect(minted).toHaveLength(2);
  });

  it.each(minted)('reproduces the vector of $name', async ({ key, claims: minted, url }) => {
    const { iat = 0, exp, image_id: images = [], sharinpix = {} } = minted;
    const clock = join(folder, 'clock.mjs');
    writeFileSync(clock, `Date.now = () => ${iat} * 1000;`);
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        ...['--import', clock, built('server/pixseal.js'), 'token', 'mint', '--url'],
        ...['--server', new URL(url).origin, '--issuer', minted.iss, '--algorithm', key.algorithm],
        ...[images].flat().flatMap((id) => ['--image', id]),
        ...['--steps', JSON.stringify(minted.transformations), '--expires-in', `${(exp - iat) / 3600}h`],
        ...(sharinpix.download === false ? ['--no-download'] : []),
        ...(key.id === undefined ? [] : ['--kid', key.id]),
      ],
      { env: { PATH: process.env['PATH'], PIXSEAL_SECRET: key.secret } },
    );
    const urls = [images].flat().map((id) => url.replace(/images\/[^?]+/, `images/${id}`));
    expect(urls[0]).toBe(url);
    expect(stdout.trim().split('\n')).toStrictEqual(urls);
  });
});

describe('the program of docs/languages.md', () => {
  it('runs in every required language', () => {
    const absent = missing.filter(([, { required }]) => required).map(([name]) => name);
    expect(process.env['REQUIRE_LANGUAGES'] === '1' ? absent : []).toStrictEqual([]);
  });

  it.each(found)('in %s signs the token of the vectors, byte for byte', async (_, language) => {
    const { block, exp, fixedExp = String } = language;
    expect(block).toContain(exp);
    const fixed = block.replace(exp, fixedExp(claims.exp));
    expect(await run(language, fixed, [tenant.imageId], DSN)).toBe(vector.url);
  });

  it.each(found)('in %s signs a text beyond ASCII, byte for byte', async (_, language) => {
    const { block, exp, fixedExp = String, steps } = language;
    expect(block).toContain(steps[0]);
    const changed = block.replace(exp, fixedExp(claims.exp)).replace(...steps);
    expect(await run(language, changed, [tenant.imageId], DSN)).toBe(textVector.url);
  });

  it.each(found)('in %s signs a token that expires in an hour and is accepted', async (_, language) => {
    const url = new URL(await run(language, language.block, [tenant.imageId], dsn));
    expect(url.origin).toBe(service.url);
    const [response, own] = [
      await service.image(url.pathname + url.search),
      await service.image(
        tenant.path({ transformations: claims.transformations, sharinpix: claims.sharinpix }),
      ),
    ];
    expect([response.status, response.headers.location]).toStrictEqual([302, own.headers.location]);
    const [, payload = ''] = url.searchParams.get('token')?.split('.') ?? [];
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toStrictEqual({
      ...claims,
      exp: expect.closeTo(Date.now() / 1000 + 3600, -2) as number,
    });
  });

  it.each(found)('in %s fails without an image’s id, and prints no URL', async (_, language) => {
    for (const ids of [[], ['']]) {
      const failure: unknown = await run(language, language.block, ids, dsn).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: expect.any(Number) as number, stdout: '' });
      expect(String((failure as { stderr: unknown }).stderr)).toMatch(/usage: .*IMAGE_ID/);
    }
  });
});
