import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { inspectOriginal, ORIGINAL_LIMITS } from '../../src/originals/inspect-original.js';
import { InvalidOriginalError, OriginalTooLargeError } from '../../src/originals/original.errors.js';
import { drawPicture, makeBombPng, makeGif, SVG, ZIP_END } from './pictures.js';

const join = (...parts: (Buffer | string)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)));

/** A TIFF of one color with smaller versions of the same image behind it. */
function makePyramid(width: number, height: number): Promise<Buffer> {
  return sharp(makeBombPng(width, height))
    .toColorspace('b-w')
    .tiff({ compression: 'deflate', tile: true, pyramid: true })
    .toBuffer();
}

async function limitOf(content: Buffer): Promise<string> {
  const error: unknown = await inspectOriginal(content).catch((caught: unknown) => caught);
  if (error instanceof InvalidOriginalError) return error.extensions.limit;
  if (error instanceof OriginalTooLargeError) return 'too large';
  throw new Error('It was taken, or failed otherwise', { cause: error });
}

describe('an original that is taken', () => {
  it.each([
    ['jpeg', 'jpg'],
    ['png', 'png'],
    ['webp', 'webp'],
    ['avif', 'avif'],
    ['gif', 'gif'],
    ['tiff', 'tif'],
  ] as const)('is a %s, recorded as Cloudinary names the format: %s', async (written, format) => {
    const content = await drawPicture(1, written);
    await expect(inspectOriginal(content)).resolves.toStrictEqual({
      content,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      format,
      width: 64,
      height: 48,
    });
  });

  it('may be animated: the size is a frame’s', async () => {
    await expect(inspectOriginal(makeGif(30, 20, 10))).resolves.toMatchObject({ width: 20, height: 10 });
  });

  it('may be filled up with zeros, and a JPEG may carry what a phone appends', async () => {
    await inspectOriginal(join(await drawPicture(1), Buffer.alloc(100)));
    const photo = await drawPicture(1, 'jpeg');
    await inspectOriginal(join(photo, photo));
  });

  it('may have just as many pixels and frames as are allowed', async () => {
    await expect(inspectOriginal(makeBombPng(10_000, 5_000))).resolves.toMatchObject({ width: 10_000 });
    const frames = makeGif(ORIGINAL_LIMITS.frames, 10, 10);
    await expect(inspectOriginal(frames)).resolves.toMatchObject({ width: 10 });
    const pages = await sharp(frames, { animated: true }).tiff().toBuffer();
    await expect(inspectOriginal(pages)).resolves.toMatchObject({ width: 10 });
    await expect(inspectOriginal(await makePyramid(10_000, 3_000))).resolves.toMatchObject({ width: 10_000 });
  });
});

describe('an original that is refused', () => {
  const picture = (format: Parameters<typeof drawPicture>[1]): Promise<Buffer> => drawPicture(2, format);

  it.each<[string, string, () => Promise<Buffer> | Buffer]>([
    ['an empty file', 'integrity', () => Buffer.alloc(0)],
    ['one byte over the size', 'too large', () => Buffer.alloc(ORIGINAL_LIMITS.bytes + 1)],
    ['text', 'type', () => Buffer.from('hello')],
    ['SVG', 'type', () => SVG],
    ['SVG behind white space', 'type', () => join('\n\n  ', SVG)],
    ['PDF', 'type', () => Buffer.from('%PDF-1.7\n1 0 obj')],
    ['a web page', 'type', () => Buffer.from('<!doctype html><script>1</script>')],
    ['a BMP', 'type', () => Buffer.from(`BM${'\0'.repeat(60)}`)],
    ['a PNG’s signature and nothing more', 'integrity', () => Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')],
    ['a bomb of 30,000 × 30,000', 'pixels', () => makeBombPng(30_000, 30_000)],
    ['a row of pixels too many', 'pixels', () => makeBombPng(10_000, 5_001)],
    ['a GIF of many frames', 'frames', () => makeGif(5_000, 10, 10)],
    ['a GIF whose frames are too large together', 'pixels', () => makeGif(60, 1_000, 1_000)],
    ['a TIFF whose pages have too many pixels together', 'pixels', () => makePyramid(10_000, 4_000)],
    ['a PNG with another file behind', 'integrity', async () => join(await picture('png'), 'more')],
    ['a GIF with a program behind', 'integrity', async () => join(await picture('gif'), '=1;alert(1)')],
    ['a WebP with another file behind', 'integrity', async () => join(await picture('webp'), 'more')],
    ['a JPEG and a ZIP', 'type', async () => join(await picture('jpeg'), 'PK\x03\x04…', ZIP_END)],
    ['a JPEG and a web page', 'type', async () => join(await picture('jpeg'), '<ScRiPt>alert(1)</script>')],
    ['a JPEG and PHP', 'type', async () => join(await picture('jpeg'), '<?php system($_GET[0]);')],
    [
      'a JPEG and a PDF',
      'type',
      async () => {
        const photo = await picture('jpeg');
        const comment = join('\xff\xfe\x00\x0c', '%PDF-1.7\n\n');
        return join(photo.subarray(0, 2), comment, photo.subarray(2));
      },
    ],
  ])('is %s: against the limit of %s', async (_, limit, make) => {
    await expect(limitOf(await make())).resolves.toBe(limit);
  });

  it.each(['jpeg', 'png', 'webp', 'avif', 'gif'] as const)(
    'is a %s that is cut off anywhere',
    async (format) => {
      const whole = await drawPicture(3, format, { width: 200, height: 150 });
      for (const cut of [1, 3, 20, Math.floor(whole.length / 2), whole.length - 40]) {
        await expect(limitOf(whole.subarray(0, whole.length - cut))).resolves.toBe('integrity');
      }
    },
  );

  it('is a TIFF that is cut off or goes in a circle', async () => {
    const whole = await drawPicture(3, 'tiff');
    await expect(limitOf(whole.subarray(0, whole.length / 2))).resolves.toBe('integrity');
    const circle = Buffer.from('II*\0\x08\0\0\0\0\0\x08\0\0\0', 'latin1');
    await expect(limitOf(circle)).resolves.toBe('integrity');
  });

  it('is a damaged PNG: a byte of its pixels changed', async () => {
    const whole = await drawPicture(3, 'png', { width: 200, height: 150 });
    const at = Math.floor(whole.length * 0.6);
    whole[at] = (whole[at] ?? 0) ^ 0x5a;
    await expect(limitOf(whole)).resolves.toBe('integrity');
  });
});

it('judges a thousand mutated pictures without a crash, and takes none that sharp cannot decode', async () => {
  const bases = await Promise.all(
    (['jpeg', 'png', 'webp', 'gif', 'tiff'] as const).map((format) =>
      drawPicture(4, format, { width: 24, height: 16 }),
    ),
  );
  let taken = 0;
  for (let round = 0; round < 1_000; round += 1) {
    const content = Buffer.from(bases[round % bases.length] ?? Buffer.alloc(0));
    for (let change = 0; change <= round % 3; change += 1) {
      // A fixed walk, so that what fails once fails again.
      const at = (round * 7_919 + change * 104_729) % content.length;
      content[at] = (round * 31 + change * 17) & 0xff;
    }
    const found = await inspectOriginal(content).catch((error: unknown) => error);
    if (found instanceof InvalidOriginalError) continue;
    expect(found).toMatchObject({ content });
    await sharp(content, { failOn: 'error', pages: 1 }).raw().toBuffer();
    taken += 1;
  }
  expect(taken).toBeGreaterThan(0);
}, 120_000);
