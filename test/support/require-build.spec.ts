import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

/** Writes a number that each build increments. */
const BUILD = `node -e "
  const { appendFileSync, readFileSync, writeFileSync, mkdirSync } = require('node:fs');
  appendFileSync('builds', '.');
  mkdirSync('dist/web', { recursive: true });
  writeFileSync('dist/web/page.html', String(readFileSync('builds').length));
"`.replaceAll(/\n\s*/g, ' ');

const before = process.cwd();
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pixseal-require-build-'));
  process.chdir(folder);
  write('package.json', JSON.stringify({ scripts: { 'build:pages': BUILD } }));
  write('web/main.tsx', 'first');
  write('src/domain/is-object.ts', '');
});
afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** Requires the pages as a new test file does. @returns the number of builds so far */
async function countBuilds(): Promise<number> {
  vi.resetModules();
  const { requireBuild } = await import('./require-build.js');
  await requireBuild('pages');
  return readFileSync('builds').length;
}

describe('requireBuild', () => {
  it('builds once for test files that start at the same time, and not again for later ones', async () => {
    expect(await Promise.all([countBuilds(), countBuilds(), countBuilds()])).toStrictEqual([1, 1, 1]);
    expect(await countBuilds()).toBe(1);
  });

  it.each<[change: string, create: () => void]>([
    [
      'a source',
      () => {
        write('web/main.tsx', 'other');
      },
    ],
    [
      'a source under its old time',
      () => {
        write('web/main.tsx', 'third');
        utimesSync('web/main.tsx', 0, 0);
      },
    ],
    [
      'a source that was deleted',
      () => {
        rmSync('src/domain/is-object.ts');
      },
    ],
    [
      'a new source',
      () => {
        write('packages/client/src/new.ts', '');
      },
    ],
    [
      'a locked package',
      () => {
        write('package-lock.json', '{}');
      },
    ],
    [
      'an output',
      () => {
        write('dist/web/page.html', 'by another build');
      },
    ],
    [
      'all outputs',
      () => {
        rmSync('dist', { recursive: true });
      },
    ],
    [
      'the source again',
      () => {
        write('web/main.tsx', 'first');
      },
    ],
  ])('builds again after a change to %s', async (_, create) => {
    const built = await countBuilds();
    create();
    expect(await countBuilds()).toBe(built + 1);
    expect(await countBuilds()).toBe(built + 1);
  });

  it('does not build again for sources of another part', async () => {
    const built = await countBuilds();
    write('src/redirect/redirect.service.ts', '');
    expect(await countBuilds()).toBe(built);
  });

  it('fails if the build fails, and builds again at the next attempt', async () => {
    write('package.json', JSON.stringify({ scripts: { 'build:pages': 'echo wrong; exit 3' } }));
    await expect(countBuilds()).rejects.toThrow('npm run build:pages failed.\nwrong\n');
    write('package.json', JSON.stringify({ scripts: { 'build:pages': BUILD } }));
    const built = await countBuilds();
    expect(readFileSync('dist/web/page.html', 'utf8')).toBe(String(built));
  });

  it('builds for users: without the variables of a test run', async () => {
    expect(process.env['NODE_ENV']).toBe('test');
    const script = `node -e "require('node:fs').writeFileSync('environment', String(process.env.NODE_ENV))"`;
    write('package.json', JSON.stringify({ scripts: { 'build:pages': `${BUILD} && ${script}` } }));
    await countBuilds();
    expect(readFileSync('environment', 'utf8')).toBe('undefined');
    expect(readdirSync(join(folder, 'dist')).sort()).toStrictEqual(['.pages.json', 'web']);
  });
});
