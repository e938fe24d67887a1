import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DerivedCache } from '../../src/renderer/derived-cache.js';
import type { RenderedImage } from '../../src/renderer/image/image-renderer.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pixseal-derived-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const key = (digit: number): string => digit.toString(16).padStart(64, '0');
const image = (bytes: number): RenderedImage => ({
  // A newline in the body must not be taken for the end of the first line.
  body: Buffer.alloc(bytes, '\n'),
  contentType: 'image/png',
  width: 3,
  height: 2,
  headers: { 'Content-Disposition': 'attachment' },
  varyByAccept: true,
});
const files = (): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name);

describe('the derived cache', () => {
  it('gives back what was put in, also to the next process', async () => {
    await new DerivedCache(folder, 10_000).set(key(1), image(100));
    expect(await new DerivedCache(folder, 10_000).get(key(1))).toStrictEqual(image(100));
  });

  it('returns an image while its file is being written', async () => {
    const cache = new DerivedCache(folder, 10_000);
    const written = cache.set(key(1), image(100));
    expect(await cache.get(key(1))).toStrictEqual(image(100));
    await written;
    expect(await cache.get(key(1))).toStrictEqual(image(100));
  });

  it('has nothing for a key that was not put in', async () => {
    expect(await new DerivedCache(folder, 10_000).get(key(1))).toBeNull();
  });

  it('lets the longest unused go when it is full, file and all', async () => {
    const cache = new DerivedCache(folder, 3_000);
    await cache.set(key(1), image(1_000));
    await cache.set(key(2), image(1_000));
    await cache.get(key(1));
    await cache.set(key(3), image(1_000));
    expect(await cache.get(key(2))).toBeNull();
    expect(files().sort()).toStrictEqual([key(1), key(3)]);
  });

  it('keeps its bound over a restart', async () => {
    const cache = new DerivedCache(folder, 10_000);
    for (let digit = 1; digit <= 5; digit += 1) await cache.set(key(digit), image(1_000));
    expect(new DerivedCache(folder, 2_500)).toBeDefined();
    expect(files()).toHaveLength(2);
  });

  it('removes what a killed process left half-written, and heeds no other file', async () => {
    await new DerivedCache(folder, 10_000).set(key(1), image(10));
    writeFileSync(join(folder, `${key(2)}.x.part`), 'half');
    writeFileSync(join(folder, 'README'), 'mine');
    const cache = new DerivedCache(folder, 10_000);
    expect(files().sort()).toStrictEqual([key(1), 'README']);
    expect(await cache.get(key(2))).toBeNull();
  });

  it('renders again where someone cleaned the folder', async () => {
    const cache = new DerivedCache(folder, 10_000);
    await cache.set(key(1), image(10));
    rmSync(folder, { recursive: true });
    expect(await cache.get(key(1))).toBeNull();
    await cache.set(key(1), image(10));
    expect(await cache.get(key(1))).toStrictEqual(image(10));
  });

  it('reads the file of a small image once, and that of a large one each time', async () => {
    const cache = new DerivedCache(folder, 10_000_000);
    for (const [digit, bytes] of [
      [1, 1_000],
      [2, 2 ** 20 + 1],
    ] as const) {
      await cache.set(key(digit), image(bytes));
      await cache.get(key(digit));
    }
    rmSync(folder, { recursive: true });
    expect(await cache.get(key(1))).toStrictEqual(image(1_000));
    expect(await cache.get(key(2))).toBeNull();
  });
});
