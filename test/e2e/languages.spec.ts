import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentBlock } from '../support/readme.js';
import { createTenant, post, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';

interface Language {
  /** The program, and the arguments before the file's name. */
  readonly command: readonly [program: string, ...args: string[]];
  readonly file: string;
  readonly block: string;
  /** Whether `REQUIRE_LANGUAGES=1` requires it. */
  readonly required: boolean;
}

/** By the language of the blocks in docs/languages.md. Debian's Java and Go are too large to require everywhere. */
const LANGUAGES: Readonly<Record<string, Language>> = {
  ruby: {
    block: documentBlock('docs/languages.md', 'Ruby / ruby 1'),
    command: ['ruby'],
    file: 'mint.rb',
    required: true,
  },
  python: {
    block: documentBlock('docs/languages.md', 'Python / python 1'),
    command: ['python3'],
    file: 'mint.py',
    required: true,
  },
  php: {
    block: documentBlock('docs/languages.md', 'PHP / php 1'),
    command: ['php'],
    file: 'mint.php',
    required: true,
  },
  perl: {
    block: documentBlock('docs/languages.md', 'Perl / perl 1'),
    command: ['perl'],
    file: 'mint.pl',
    required: true,
  },
  java: {
    block: documentBlock('docs/languages.md', 'Java / java 1'),
    command: ['java'],
    file: 'Mint.java',
    required: false,
  },
  go: {
    block: documentBlock('docs/languages.md', 'Go / go 1'),
    command: ['go', 'run'],
    file: 'mint.go',
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

/** Every character that has a meaning in a URL. */
const SECRET = `a+secret/of:its?own#with@all%41&the="rest'of-them`;

let service: Service;
let tenant: Tenant;
let dsn: string;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pixseal-languages-'));
  service = await startService();
  tenant = await createTenant(service, { publicId: 'languages', overlayPublicId: 'languages_layer' });
  ({ dsn } = await post<{ dsn: string }>(service, `/issuers/${tenant.issuerId}/keys`, { secret: SECRET }));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await service.close();
});

describe('the program of docs/languages.md', () => {
  it('runs in every required language', () => {
    const absent = missing.filter(([, { required }]) => required).map(([name]) => name);
    expect(process.env['REQUIRE_LANGUAGES'] === '1' ? absent : []).toStrictEqual([]);
  });

  it.each(found)(
    'in %s signs a token with the same redirect as the service’s own',
    async (_, { command, file, block }) => {
      const path = join(folder, file);
      writeFileSync(path, block);
      const [program, ...args] = command;
      const { stdout } = await promisify(execFile)(program, [...args, path, tenant.imageId], {
        env: { ...process.env, PIXSEAL_DSN: dsn, GOCACHE: join(folder, 'go') },
      });

      const url = new URL(stdout.trim());
      expect(url.origin).toBe(service.url);
      const [response, own] = [
        await service.image(url.pathname + url.search),
        await service.image(tenant.steps({ width: 400, height: 300, crop: 'fill' })),
      ];
      expect([response.status, response.headers.location]).toStrictEqual([302, own.headers.location]);
      const [header = '', payload = ''] = url.searchParams.get('token')?.split('.') ?? [];
      expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toStrictEqual({
        typ: 'JWT',
        alg: 'HS256',
      });
      expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({
        iss: tenant.issuerId,
        image_id: tenant.imageId,
        exp: expect.closeTo(Date.now() / 1000 + 3600, -2) as number,
      });
    },
  );

  it.each(found)(
    'in %s fails without an image’s id, and prints no URL',
    async (_, { command, file, block }) => {
      const path = join(folder, file);
      writeFileSync(path, block);
      const [program, ...args] = command;
      for (const id of [[], ['']]) {
        const failure: unknown = await promisify(execFile)(program, [...args, path, ...id], {
          env: { ...process.env, PIXSEAL_DSN: dsn, GOCACHE: join(folder, 'go') },
        }).catch((error: unknown) => error);
        expect(failure).toMatchObject({ code: expect.any(Number) as number, stdout: '' });
        expect(String((failure as { stderr: unknown }).stderr)).toMatch(/usage: .*IMAGE_ID/);
      }
    },
  );
});
