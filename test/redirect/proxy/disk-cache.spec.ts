import {
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { OverloadedError } from '../../../src/platform/rate-limit/overloaded.error.js';
import { DiskCache, type ImageMeta } from '../../../src/redirect/proxy/disk-cache.js';

const HEADER = 1_024;
const PARTS = 2;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pixseal-cache-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
});

const keyOf = (digit: string): string => digit.repeat(64);
const pathOf = (digit: string): string => join(folder, digit.repeat(2), keyOf(digit));

/** More than is read as one piece. */
const BIG = Buffer.alloc(200_000, 'x');

const metaOf = (length: number, freshness = 60_000): ImageMeta => ({
  contentType: 'image/png',
  etag: '"a"',
  lastModified: null,
  length,
  freshUntil: Date.now() + freshness,
});

/** The paths of all files. */
const filesOf = (root: string): string[] =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name, parentPath }) => join(parentPath, name))
    .sort();

async function keep(cache: DiskCache, digit: string, bytes: Buffer, freshness = 60_000): Promise<ImageMeta> {
  const part = await cache.create();
  await part.write(bytes.subarray(0, 3), 0);
  await part.write(bytes.subarray(3), 3);
  const meta = metaOf(bytes.length, freshness);
  await cache.keep(keyOf(digit), part, meta);
  await part.close();
  return meta;
}

/** All bytes of a cached image; null if it is not cached. */
async function read(cache: DiskCache, digit: string): Promise<string | null> {
  const meta = await cache.find(keyOf(digit));
  const source = meta && (await cache.open(keyOf(digit), meta));
  if (source === null) return null;
  const chunks: Buffer[] = [];
  for (let at = 0; ; at = Buffer.concat(chunks).length) {
    const chunk = await source.read(at, 4);
    if (chunk === null) break;
    chunks.push(chunk);
  }
  source.release();
  return Buffer.concat(chunks).toString();
}

describe('a cached image', () => {
  it('has its bytes and its meta, in this process and in a later one', async () => {
    const cache = new DiskCache(folder, 10_000, PARTS);
    const meta = await keep(cache, 'a', Buffer.from('0123456789'));
    for (const later of [cache, new DiskCache(folder, 10_000, PARTS)]) {
      expect(await read(later, 'a')).toBe('0123456789');
      expect(await later.find(keyOf('a'))).toStrictEqual(meta);
      expect(later.size).toStrictEqual({ entries: 1, bytes: HEADER + 10 });
      expect(await read(later, 'b')).toBeNull();
    }
  });

  it('is found if another process has stored it', async () => {
    const [one, other] = [new DiskCache(folder, 10_000, PARTS), new DiskCache(folder, 10_000, PARTS)];
    await keep(one, 'a', Buffer.from('0123456789'));
    expect(await read(other, 'a')).toBe('0123456789');
    expect(other.size.entries).toBe(1);
  });

  it('is no longer found when it is not fresh', async () => {
    const cache = new DiskCache(folder, 10_000, PARTS);
    await keep(cache, 'a', Buffer.from('0123456789'), -1);
    expect(await read(cache, 'a')).toBeNull();
  });

  it('that is not fresh is found again once another process has replaced it', async () => {
    const [one, other] = [new DiskCache(folder, 10_000, PARTS), new DiskCache(folder, 10_000, PARTS)];
    await keep(one, 'a', Buffer.from('0123456789'), -1);
    expect(await read(one, 'a')).toBeNull();
    await keep(other, 'a', Buffer.from('abcdef'));
    expect(await read(one, 'a')).toBe('abcdef');
    expect(one.size).toStrictEqual({ entries: 1, bytes: HEADER + 6 });
  });

  it.each([
    [
      'deleted',
      () => {
        rmSync(pathOf('a'));
      },
    ],
    [
      'cut',
      () => {
        truncateSync(pathOf('a'), HEADER + 5);
      },
    ],
    [
      'emptied',
      () => {
        truncateSync(pathOf('a'), 0);
      },
    ],
    [
      'overwritten',
      () => {
        writeFileSync(pathOf('a'), 'x'.repeat(HEADER + 10));
      },
    ],
  ])('is no longer found if its file was %s, in a later process', async (_, damage) => {
    await keep(new DiskCache(folder, 10_000, PARTS), 'a', Buffer.from('0123456789'));
    damage();
    expect(await read(new DiskCache(folder, 10_000, PARTS), 'a')).toBeNull();
  });

  it('is not opened if its file was cut behind the back of this process', async () => {
    const cache = new DiskCache(folder, 10_000, PARTS);
    await keep(cache, 'a', Buffer.from('0123456789'));
    truncateSync(pathOf('a'), HEADER + 5);
    expect(await read(cache, 'a')).toBeNull();
    // Its file is still evicted with its entry.
    expect(await cache.find(keyOf('a'))).toBeNull();
    expect(cache.size.entries).toBe(1);
  });

  it('that is replaced while it is read, is read to its end', async () => {
    const cache = new DiskCache(folder, 10_000, PARTS);
    const meta = await keep(cache, 'a', Buffer.from('0123456789'));
    const source = await cache.open(keyOf('a'), meta);
    await keep(cache, 'a', Buffer.from('abcdef'));
    expect(await read(cache, 'a')).toBe('abcdef');
    expect((await source?.read(0, 99))?.toString()).toBe('0123456789');
    source?.release();
  });
});

describe('the bytes of all cached images', () => {
  it('have a limit: the least recently used are deleted first', async () => {
    const cache = new DiskCache(folder, 3 * (HEADER + 10), PARTS);
    for (const digit of ['a', 'b', 'c']) await keep(cache, digit, Buffer.from('0123456789'));
    expect(await read(cache, 'a')).toBe('0123456789');
    await cache.find(keyOf('c'));
    await cache.find(keyOf('a'));
    await keep(cache, 'd', Buffer.from('0123456789'));
    await expect
      .poll(() => ['a', 'b', 'c', 'd'].map((digit) => existsSync(pathOf(digit))))
      .toStrictEqual([true, false, true, true]);
    expect(cache.size).toStrictEqual({ entries: 3, bytes: 3 * (HEADER + 10) });
  });

  it('have it for files that are being read: these are kept, and no image is stored if they are all', async () => {
    const cache = new DiskCache(folder, 2 * (HEADER + BIG.length), PARTS);
    const first = await cache.open(keyOf('a'), await keep(cache, 'a', BIG));
    const second = await cache.open(keyOf('b'), await keep(cache, 'b', BIG));
    await keep(cache, 'c', BIG);
    expect(await Promise.all(['a', 'b', 'c'].map((digit) => cache.find(keyOf(digit))))).toMatchObject([
      { length: BIG.length },
      { length: BIG.length },
      null,
    ]);
    expect(filesOf(folder)).toStrictEqual([pathOf('a'), pathOf('b')]);
    first?.release();
    await keep(cache, 'c', BIG);
    await expect.poll(() => filesOf(folder)).toStrictEqual([pathOf('b'), pathOf('c')]);
    expect(cache.size).toStrictEqual({ entries: 2, bytes: 2 * (HEADER + BIG.length) });
    second?.release();
  });

  it('have it for files that were replaced while they are read', async () => {
    const cache = new DiskCache(folder, 2 * (HEADER + BIG.length), PARTS);
    const source = await cache.open(keyOf('a'), await keep(cache, 'a', BIG));
    await keep(cache, 'a', BIG);
    expect(cache.size).toStrictEqual({ entries: 1, bytes: 2 * (HEADER + BIG.length) });
    await keep(cache, 'b', BIG);
    await expect.poll(() => filesOf(folder)).toStrictEqual([pathOf('b')]);
    expect((await source?.read(0, 4))?.toString()).toBe('xxxx');
    source?.release();
    expect(cache.size).toStrictEqual({ entries: 1, bytes: HEADER + BIG.length });
  });

  it('have it for a file that its first clients still read', async () => {
    const cache = new DiskCache(folder, HEADER + 10, PARTS);
    const part = await cache.create();
    await part.write(Buffer.from('0123456789'), 0);
    await cache.keep(keyOf('a'), part, metaOf(10));
    await keep(cache, 'b', Buffer.from('0123456789'));
    expect(await cache.find(keyOf('b'))).toBeNull();
    await part.close();
    await keep(cache, 'b', Buffer.from('0123456789'));
    expect(await read(cache, 'b')).toBe('0123456789');
  });

  it('exclude an image that is larger than all of them may be', async () => {
    const cache = new DiskCache(folder, HEADER + 9, PARTS);
    await keep(cache, 'a', Buffer.from('0123456789'));
    expect(await cache.find(keyOf('a'))).toBeNull();
    expect([filesOf(folder), cache.size]).toStrictEqual([[], { entries: 0, bytes: 0 }]);
  });

  it('have it for images that are not fresh, and are looked up but not replaced', async () => {
    const cache = new DiskCache(folder, 3 * (HEADER + 10), PARTS);
    const digits = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (const digit of digits) {
      await keep(cache, digit, Buffer.from('0123456789'), -1);
      expect(await cache.find(keyOf(digit))).toBeNull();
    }
    await expect
      .poll(() => digits.filter((digit) => existsSync(pathOf(digit))))
      .toStrictEqual(['d', 'e', 'f']);
    expect(cache.size).toStrictEqual({ entries: 3, bytes: 3 * (HEADER + 10) });
  });

  it('have it for the files of an earlier process too, oldest first', async () => {
    const earlier = new DiskCache(folder, 10_000, PARTS);
    for (const [index, digit] of ['b', 'a', 'c'].entries()) {
      await keep(earlier, digit, Buffer.from('0123456789'));
      utimesSync(pathOf(digit), index + 1, index + 1);
    }
    const cache = new DiskCache(folder, 2 * (HEADER + 10), PARTS);
    await expect.poll(() => existsSync(pathOf('b'))).toBe(false);
    expect([await read(cache, 'a'), await read(cache, 'c')]).toStrictEqual(['0123456789', '0123456789']);
  });
});

describe('a partial file', () => {
  it('is refused beyond their number, until one is deleted or becomes an image', async () => {
    const cache = new DiskCache(folder, 10_000, PARTS);
    const first = await cache.create();
    const second = await cache.create();
    await expect(cache.create()).rejects.toThrow(OverloadedError);
    await first.close();
    const third = await cache.create();
    expect(() => {
      cache.requirePart();
    }).toThrow(OverloadedError);
    await cache.keep(keyOf('a'), second, metaOf(1));
    const fourth = await cache.create();
    await second.close();
    await expect(cache.create()).rejects.toThrow(OverloadedError);
    await Promise.all([third.close(), fourth.close()]);
  });

  it('is deleted when it is closed, and at the start if its process has crashed', async () => {
    const cache = new DiskCache(folder, 10_000, PARTS);
    const part = await cache.create();
    await part.write(Buffer.from('abc'), 0);
    expect((await part.read(1, 9))?.toString()).toBe('bc');
    expect(readdirSync(folder)).toHaveLength(1);
    await part.close();
    expect(readdirSync(folder)).toHaveLength(0);

    writeFileSync(join(folder, 'old.part'), 'x');
    writeFileSync(join(folder, 'new.part'), 'x');
    utimesSync(join(folder, 'old.part'), 1, 1);
    expect(new DiskCache(folder, 10_000, PARTS).size.entries).toBe(0);
    expect(readdirSync(folder)).toStrictEqual(['new.part']);
  });

  it('is deleted when the cache is closed, unless it has become an image', async () => {
    const cache = new DiskCache(folder, 10_000, PARTS);
    const [open, kept] = [await cache.create(), await cache.create()];
    await open.write(Buffer.from('abc'), 0);
    await kept.write(Buffer.from('abc'), 0);
    await cache.keep(keyOf('a'), kept, metaOf(3));
    await cache.close();
    expect(filesOf(folder)).toStrictEqual([pathOf('a')]);
    await Promise.all([open.close(), kept.close()]);
    await Promise.all([cache.create(), cache.create()]);
  });
});
