import sharp, { type Sharp } from 'sharp';
import { describe, expect, it } from 'vitest';
import { inspectOriginal, ORIGINAL_LIMITS } from '../../src/originals/inspect-original.js';
import { InvalidOriginalError, OriginalTooLargeError } from '../../src/originals/original.errors.js';
import {
  drawPicture,
  makeBombPng,
  makeBox,
  makeGif,
  makeTiffOfPages,
  makeTwoImageAvif,
  ZIP_END,
} from './pictures.js';

const join = (...parts: (Buffer | string)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)));

/** A JPEG with a segment of a type behind its first marker. */
function withSegment(jpeg: Buffer, marker: number, content: Buffer | string): Buffer {
  const bytes = join(content);
  const header = Buffer.alloc(4);
  header.writeUInt16BE(marker);
  header.writeUInt16BE(bytes.length + 2, 2);
  return join(jpeg.subarray(0, 2), header, bytes, jpeg.subarray(2));
}

const withComment = (jpeg: Buffer, comment: Buffer | string): Buffer => withSegment(jpeg, 0xfffe, comment);

/** A JPEG of two blocks of 8 × 8 pixels, with a restart marker between them. */
async function makeRestartJpeg(): Promise<Buffer> {
  const block = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#369' } })
    .toColorspace('b-w')
    .jpeg()
    .toBuffer();
  const scan = block.indexOf('\xff\xda', 0, 'latin1');
  const data = block.subarray(scan + 2 + block.readUInt16BE(scan + 2), -2);
  const header = Buffer.from(block.subarray(0, block.length - 2));
  header.writeUInt16BE(16, header.indexOf('\xff\xc0', 0, 'latin1') + 7);
  return join(withSegment(header, 0xffdd, '\x00\x01'), '\xff\xd0', data, '\xff\xd9');
}

/** An AVIF whose box of a type lasts to the end of the file: its size is 0. */
function withOpenBox(avif: Buffer, type: string): Buffer {
  const file = Buffer.from(avif);
  file.writeUInt32BE(0, file.indexOf(type, 0, 'latin1') - 4);
  return file;
}

/** An AVIF with free space in front of its pixels. */
function withFreeSpace(avif: Buffer): Buffer {
  const space = makeBox('free', Buffer.alloc(100));
  const pixels = avif.indexOf('mdat', 0, 'latin1') - 4;
  const offset = Buffer.alloc(4);
  offset.writeUInt32BE(pixels + 8);
  const file = join(avif.subarray(0, pixels), space, avif.subarray(pixels));
  // The only item refers to its pixels by their offset in the file.
  file.writeUInt32BE(pixels + 8 + space.length, file.indexOf(offset));
  return file;
}

/** A TIFF of two pages, whose second is one of the first: the tag `ResolutionUnit` (296) becomes `SubIFDs` (330). */
async function withSubDirectory(): Promise<Buffer> {
  const file = await sharp(makeGif(2, 20, 10), { animated: true })
    .tiff()
    .toBuffer();
  const directory = file.readUInt32LE(4);
  const next = directory + 2 + 12 * file.readUInt16LE(directory);
  const entry = file.indexOf('\x28\x01\x03\x00', directory, 'latin1');
  file.writeUInt16LE(330, entry);
  file.writeUInt16LE(4, entry + 2);
  file.copy(file, entry + 8, next, next + 4);
  file.writeUInt32LE(0, next);
  return file;
}

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

describe('an original that is accepted', () => {
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

  it('may have exactly the allowed pixels and frames', async () => {
    await expect(inspectOriginal(makeBombPng(10_000, 5_000))).resolves.toMatchObject({ width: 10_000 });
    const frames = makeGif(ORIGINAL_LIMITS.frames, 10, 10);
    await expect(inspectOriginal(frames)).resolves.toMatchObject({ width: 10 });
    const pages = await sharp(frames, { animated: true }).tiff().toBuffer();
    await expect(inspectOriginal(pages)).resolves.toMatchObject({ width: 10 });
    // The smaller versions of a pyramid do not count.
    await expect(inspectOriginal(await makePyramid(10_000, 5_000))).resolves.toMatchObject({ width: 10_000 });
  });

  it('may have pages that differ, of which the first counts', async () => {
    const [first, second] = await Promise.all([
      drawPicture(1, 'tiff', { width: 40, height: 30 }),
      sharp(makeBombPng(10_000, 5_001)).toColorspace('b-w').tiff({ compression: 'deflate' }).toBuffer(),
    ]);
    const content = makeTiffOfPages(first, second);
    await expect(sharp(content).metadata()).resolves.toMatchObject({ pages: 2 });
    await expect(inspectOriginal(content)).resolves.toMatchObject({ content, width: 40, height: 30 });
  });

  it('may be an AVIF of several images, of which the primary one counts', async () => {
    const content = await makeTwoImageAvif({ width: 64, height: 48 }, { width: 32, height: 96 });
    await expect(inspectOriginal(content)).resolves.toMatchObject({ content, width: 32, height: 96 });
  });

  it('may lack the trailer of a GIF', async () => {
    const content = makeGif(3, 20, 10).subarray(0, -1);
    await expect(inspectOriginal(content)).resolves.toMatchObject({ content, width: 20 });
  });

  it.each([
    '<html >',
    '<script>alert(1)</script>',
    '<?php system($_GET[0]);',
    '%PDF-1.7\n',
    ZIP_END.toString('latin1'),
  ])('may have any comment: %j', async (comment) => {
    const content = withComment(await drawPicture(1, 'jpeg'), comment);
    await expect(inspectOriginal(content)).resolves.toMatchObject({ content });
  });
});

const FILES: readonly (readonly [string, () => Promise<Buffer>])[] = [
  ['a JPEG', () => drawPicture(5, 'jpeg')],
  ['a JPEG of several scans', () => draw((image) => image.jpeg({ progressive: true }))],
  ['a JPEG of mozjpeg', () => draw((image) => image.jpeg({ mozjpeg: true }))],
  ['a JPEG in CMYK', () => draw((image) => image.toColorspace('cmyk').jpeg())],
  ['a JPEG with restart markers', makeRestartJpeg],
  [
    'a JPEG with a thumbnail in its metadata, and an index of further images',
    async () => {
      const indexed = withSegment(await drawPicture(5, 'jpeg'), 0xffe2, 'MPF\0II*\0');
      return withSegment(indexed, 0xffe1, join('Exif\0\0', await drawPicture(6, 'jpeg')));
    },
  ],
  ['a PNG', () => drawPicture(5, 'png')],
  ['a GIF', () => drawPicture(5, 'gif')],
  ['a WebP', () => drawPicture(5, 'webp')],
  ['an AVIF', () => drawPicture(5, 'avif')],
  ['an AVIF of several images', () => makeTwoImageAvif({ width: 64, height: 48 }, { width: 32, height: 96 })],
  ['a lossless AVIF', () => draw((image) => image.avif({ lossless: true }))],
  ['an AVIF with transparency', () => draw((image) => image.ensureAlpha(0.5).avif())],
  ['an AVIF with metadata', () => draw((image) => image.avif().withExif({ IFD0: { Copyright: 'x' } }))],
  ['an AVIF with free space', async () => withFreeSpace(await drawPicture(5, 'avif'))],
  ['an AVIF whose pixels have no size', async () => withOpenBox(await drawPicture(5, 'avif'), 'mdat')],
  ...(['none', 'jpeg', 'deflate', 'packbits', 'lzw', 'webp'] as const).map(
    (compression) => [`a TIFF, ${compression}`, () => draw((image) => image.tiff({ compression }))] as const,
  ),
  [
    'a TIFF of two colors',
    () => draw((image) => image.toColorspace('b-w').tiff({ compression: 'ccittfax4', bitdepth: 1 })),
  ],
  ['a TIFF of tiles', () => draw((image) => image.tiff({ tile: true, tileWidth: 16, tileHeight: 16 }))],
  ['a BigTIFF', () => draw((image) => image.tiff({ bigtiff: true }))],
  [
    'a BigTIFF of tiles',
    () => draw((image) => image.tiff({ bigtiff: true, tile: true, tileWidth: 16, tileHeight: 16 })),
  ],
  [
    'a pyramid',
    () => draw((image) => image.tiff({ pyramid: true, tile: true, tileWidth: 16, tileHeight: 16 })),
  ],
  [
    'a TIFF of pages',
    () =>
      sharp(makeGif(5, 20, 10), { animated: true })
        .tiff()
        .toBuffer(),
  ],
  ['a TIFF with a page of its page', withSubDirectory],
  ['a TIFF with metadata', () => draw((image) => image.tiff().withExif({ IFD0: { Copyright: 'x' } }))],
];

const APPENDED: readonly (readonly [string, Buffer | string])[] = [
  ['a ZIP', join('PK\x03\x04…', ZIP_END)],
  ['a web page', '<html><script>alert(1)</script>'],
  ['PHP', '<?php system($_GET[0]);'],
  ['a PDF', '%PDF-1.7\n1 0 obj'],
  ['zeros', Buffer.alloc(100)],
  ['a byte', 'x'],
  ['the film of a motion photo', join(makeBox('ftyp', 'mp42\0\0\0\0isom'), makeBox('mdat', 'film'))],
  ['a box of pixels', makeBox('mdat', Buffer.alloc(100, 'x'))],
  ['free space', makeBox('free', Buffer.alloc(100, 'x'))],
];

const draw = async (write: (image: Sharp) => Sharp): Promise<Buffer> =>
  write(sharp(await drawPicture(5))).toBuffer();

describe('data behind the end of an image', () => {
  it.each(FILES)('is cut off if it is %s, which keeps its last byte', async (_, make) => {
    const file = await make();
    const second = await drawPicture(7, 'jpeg');
    for (const [, appended] of [
      ['nothing', ''],
      ...APPENDED,
      ['a JPEG', second],
      ['itself', file],
    ] as const) {
      const { content } = await inspectOriginal(join(file, appended));
      expect(content.equals(file)).toBe(true);
    }
  });
});

describe('an original that the decoder cannot read', () => {
  it.each([
    ['LZMA', 34_925],
    ['LERC', 34_887],
    ['old-style JPEG', 6],
    ['JPEG 2000', 34_712],
    ['Zstandard', 50_000],
  ])('is refused by name: %s in a TIFF', async (name, compression) => {
    const file = await sharp(await drawPicture(1))
      .tiff({ compression: 'none' })
      .toBuffer();
    file.writeUInt16LE(compression, file.indexOf('\x03\x01\x03\x00', file.readUInt32LE(4), 'latin1') + 8);
    await expect(inspectOriginal(file)).rejects.toMatchObject({
      message: `The file cannot be decoded here: ${name} in TIFF. Save it differently.`,
      extensions: { limit: 'type' },
    });
  });
});

describe('an original that is refused', () => {
  const picture = (format: Parameters<typeof drawPicture>[1]): Promise<Buffer> => drawPicture(2, format);

  it.each<[string, string, () => Promise<Buffer> | Buffer]>([
    ['an empty file', 'integrity', () => Buffer.alloc(0)],
    ['one byte over the size', 'too large', () => Buffer.alloc(ORIGINAL_LIMITS.bytes + 1)],
    ['text', 'type', () => Buffer.from('hello')],
    ['a PSD', 'type', () => Buffer.from('8BPS\0\x01')],
    ['a web page', 'type', () => Buffer.from('<!doctype html><script>1</script>')],
    ['an OS/2 BMP', 'type', () => Buffer.from(`BM${'\0'.repeat(60)}`)],
    ['a PNG’s signature and nothing more', 'integrity', () => Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')],
    ['a bomb of 30,000 × 30,000', 'pixels', () => makeBombPng(30_000, 30_000)],
    ['a row of pixels too many', 'pixels', () => makeBombPng(10_000, 5_001)],
    ['a GIF of many frames', 'frames', () => makeGif(5_000, 10, 10)],
    ['a GIF whose frames are too large together', 'pixels', () => makeGif(60, 1_000, 1_000)],
    [
      'a GIF that lacks its trailer, and has a byte behind',
      'integrity',
      () => join(makeGif(2, 9, 9).subarray(0, -1), 'x'),
    ],
    ['a GIF without an image', 'integrity', () => makeGif(0, 9, 9).subarray(0, -1)],
    [
      'a JPEG that lacks its end, and another JPEG',
      'integrity',
      async () => join((await picture('jpeg')).subarray(0, -2), await picture('jpeg')),
    ],
    [
      'an AVIF whose metadata has no size, so that it lasts to the end of the file',
      'integrity',
      async () => withOpenBox(await picture('avif'), 'meta'),
    ],
    [
      'a TIFF that records no lengths of its strips',
      'integrity',
      async () => {
        const file = await picture('tiff');
        // The tag `StripByteCounts` (279), of the type SHORT (3) or LONG (4).
        const entry = Math.max(
          file.indexOf('\x17\x01\x03\x00', 0, 'latin1'),
          file.indexOf('\x17\x01\x04\x00', 0, 'latin1'),
        );
        file.writeUInt16LE(280, entry);
        return file;
      },
    ],
    ['a TIFF whose first page has too many pixels', 'pixels', () => makePyramid(10_000, 5_001)],
  ])('is %s: beyond the limit of %s', async (_, limit, make) => {
    await expect(limitOf(await make())).resolves.toBe(limit);
  });

  it.each(['jpeg', 'png', 'webp', 'avif', 'gif'] as const)(
    'is a %s that is cut off anywhere',
    async (format) => {
      const whole = await drawPicture(3, format, { width: 200, height: 150 });
      // Without its trailer alone a GIF is complete.
      for (const cut of [format === 'gif' ? 2 : 1, 3, 20, Math.floor(whole.length / 2), whole.length - 40]) {
        await expect(limitOf(whole.subarray(0, whole.length - cut))).resolves.toBe('integrity');
      }
    },
  );

  it('is a TIFF that is truncated or has a cycle', async () => {
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

it('checks a thousand mutated images without a crash, and accepts none that sharp cannot decode', async () => {
  const bases = await Promise.all(
    (['jpeg', 'png', 'webp', 'gif', 'tiff'] as const).map((format) =>
      drawPicture(4, format, { width: 24, height: 16 }),
    ),
  );
  let taken = 0;
  for (let round = 0; round < 1_000; round += 1) {
    const content = Buffer.from(bases[round % bases.length] ?? Buffer.alloc(0));
    for (let change = 0; change <= round % 3; change += 1) {
      // A fixed sequence, so that failures are reproducible.
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
