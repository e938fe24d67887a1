import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { drawPicture, makeTiffOfPages, makeTwoImageAvif, withPngChunk } from '../originals/pictures.js';
import { pixelsOf, refusal, render, shelf } from './drawings.js';

/** An uncompressed TIFF of 8 × 8 pixels with these tags beside the required ones. */
function tiff(samples: number, tags: Readonly<Record<number, number>>): Buffer {
  const all: Readonly<Record<number, number>> = {
    ...{ 256: 8, 257: 8, 259: 1, 262: 1, 273: 8, 277: samples, 278: 8, 279: 64 * samples },
    ...tags,
  };
  const data = Buffer.alloc(64 * samples, 90);
  const entries = Object.entries(all).flatMap(([tag, value]) => {
    const entry = Buffer.alloc(12);
    entry.writeUInt16LE(Number(tag), 0);
    entry.writeUInt16LE(3, 2);
    entry.writeUInt32LE(1, 4);
    entry.writeUInt16LE(value, 8);
    return [entry];
  });
  // Bits of each sample are a list, which lies behind the directory if there are more than two.
  const directory = 8 + data.length;
  const bits = Buffer.alloc(12);
  bits.writeUInt16LE(258, 0);
  bits.writeUInt16LE(3, 2);
  bits.writeUInt32LE(samples, 4);
  if (samples > 2) bits.writeUInt32LE(directory + 2 + 12 * (entries.length + 1) + 4, 8);
  else bits.writeUInt16LE(8, 8);
  const sorted = [...entries, bits].sort((one, other) => one.readUInt16LE(0) - other.readUInt16LE(0));
  const head = Buffer.from('II*\0\0\0\0\0', 'latin1');
  head.writeUInt32LE(directory, 4);
  const count = Buffer.alloc(2);
  count.writeUInt16LE(sorted.length);
  const list = Buffer.alloc(samples * 2);
  for (let sample = 0; sample < samples; sample += 1) list.writeUInt16LE(8, sample * 2);
  return Buffer.concat([head, data, count, ...sorted, Buffer.alloc(4), list]);
}

describe('a file that the decoder cannot read right', () => {
  it.each([
    ['rendered', tiff(1, {})],
    ['rendered', tiff(3, { 262: 2 })],
    ['400 Unsupported image: signed integers in TIFF', tiff(1, { 339: 2 })],
    ['400 Unsupported image: Lab with alpha in TIFF', tiff(4, { 262: 8, 338: 2 })],
    ['400 Unsupported image: LZMA in TIFF', tiff(1, { 259: 34_925 })],
    ['400 Unsupported image: old-style JPEG in TIFF', tiff(1, { 259: 6 })],
    ['400 Unsupported image: 5 channels', tiff(5, { 262: 2, 338: 0 })],
  ])('is %s', async (expected, body) => {
    expect(await refusal(body, ['w_4'])).toBe(expected);
  });

  it('is refused as animated, not as damaged', async () => {
    const still = await sharp({ create: { width: 9, height: 9, channels: 3, background: 'red' } })
      .avif()
      .toBuffer();
    const head = still.readUInt32BE(0);
    const broken = Buffer.concat([still.subarray(0, head), Buffer.from('no box at all, whatever')]);
    expect(await refusal(broken, ['w_4'])).toBe('400 Invalid image file');
    broken.write('avis', 8, 'latin1');
    expect(await refusal(broken, ['w_4'])).toBe('400 Unsupported image: animated AVIF');
  });
});

describe('a file of several images', () => {
  it('has pages that differ, each of its own size', async () => {
    const page = (width: number, height: number, background: string): Promise<Buffer> =>
      sharp({ create: { width, height, channels: 3, background } })
        .tiff({ compression: 'lzw' })
        .toBuffer();
    const body = makeTiffOfPages(await page(20, 10, 'red'), await page(8, 30, 'blue'));
    const first = await pixelsOf(body, 'w_10');
    expect([first.width, first.height, first.at(3, 3)]).toEqual([10, 5, [255, 0, 0, 255]]);
    const second = await pixelsOf(body, 'pg_2,w_4');
    expect([second.width, second.height, second.at(3, 3)]).toEqual([4, 15, [0, 0, 255, 255]]);
    expect(await refusal(body, ['pg_3,w_4'])).toBe('400 Page 3 does not exist: the image has 2');
  });

  it('has pages of which one cannot be decoded', async () => {
    const good = await sharp({ create: { width: 20, height: 10, channels: 3, background: 'red' } })
      .tiff()
      .toBuffer();
    const body = makeTiffOfPages(good, tiff(1, { 339: 2 }));
    expect(await refusal(body, ['w_4'])).toBe('rendered');
    expect(await refusal(body, ['pg_2,w_4'])).toBe('400 Unsupported image: signed integers in TIFF');
  });

  it('is rendered as its primary image where it is an AVIF', async () => {
    const body = await makeTwoImageAvif({ width: 64, height: 48 }, { width: 32, height: 96 });
    const { width, height, at } = await pixelsOf(body, 'w_16');
    expect([width, height]).toEqual([16, 48]);
    expect(at(8, 8)[2]).toBeGreaterThan(250);
    expect(await refusal(body, ['pg_2,w_16'])).toBe('400 Page 2 does not exist: the image has 1');
  });
});

describe('an animated PNG', () => {
  const NOTE = 'animated PNG: its first frame';

  it('is rendered as its first frame, which the response reports, also of a layer', async () => {
    const [still, photo] = [await drawPicture(1), await drawPicture(2)];
    // Two frames, endless.
    const body = withPngChunk(still, 'acTL', Buffer.from([0, 0, 0, 2, 0, 0, 0, 0]));
    expect((await render(body, ['w_20'])).headers).toEqual({ 'X-Pixseal-Approximate': NOTE });
    const originals = shelf({ 'private/photo': photo, 'upload/mark': body });
    expect((await render(originals, ['l_mark,w_20'])).headers).toEqual({ 'X-Pixseal-Approximate': NOTE });
    expect((await render(still, ['w_20'])).headers).toEqual({});
  });

  it('keeps its frames if nothing is changed', async () => {
    const body = withPngChunk(await drawPicture(1), 'acTL', Buffer.from([0, 0, 0, 2, 0, 0, 0, 0]));
    const delivered = await render(body, ['fl_attachment']);
    expect(delivered.body).toStrictEqual(body);
    expect(delivered.headers).not.toHaveProperty('X-Pixseal-Approximate');
  });
});
