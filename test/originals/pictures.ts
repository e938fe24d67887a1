import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';

/** A small image that is different for each seed, of a format that sharp writes. */
export async function drawPicture(
  seed: number,
  format: 'jpeg' | 'png' | 'webp' | 'avif' | 'gif' | 'tiff' = 'png',
  { width = 64, height = 48 } = {},
): Promise<Buffer> {
  const pixels = Buffer.alloc(width * height * 3);
  for (let at = 0; at < pixels.length; at += 1) pixels[at] = (at * 7 + seed * 131 + ((at * at) >> 5)) & 0xff;
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .toFormat(format)
    .toBuffer();
}

/** A PNG of this size with few kilobytes: one colour compresses well. */
export function makeBombPng(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([1, 0, 0, 0, 0], 8);
  const rows = Buffer.alloc((Math.ceil(width / 8) + 1) * height);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    pngChunk('IHDR', header),
    pngChunk('IDAT', deflateSync(rows)),
    pngChunk('IEND', Buffer.alloc(0)),
  ]);
}

function pngChunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

/** A PNG with another chunk behind its header. */
export function withPngChunk(png: Buffer, type: string, data: Buffer): Buffer {
  return Buffer.concat([png.subarray(0, 33), pngChunk(type, data), png.subarray(33)]);
}

/** A GIF of many frames of one colour, about 20 bytes each. */
export function makeGif(frames: number, width: number, height: number): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt16LE(width, 0);
  size.writeUInt16LE(height, 2);
  // One pixel at the corner: minimum code size 2, then clear, 0, end.
  const image = Buffer.from([0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 0x01, 0]);
  return Buffer.concat([
    Buffer.from('GIF89a', 'latin1'),
    size,
    Buffer.from([0x80, 0, 0, 0, 0, 0, 255, 255, 255]),
    ...Array.from({ length: frames }, () => image),
    Buffer.from([0x3b]),
  ]);
}

/** An empty ZIP archive's end record, with a comment up to the end of the file. */
export const ZIP_END = Buffer.from('PK\x05\x06' + '\0'.repeat(18), 'latin1');

export const SVG = Buffer.from(
  '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>1</script></svg>',
);

/** A TIFF of the first pages of two little-endian TIFFs, which may differ in everything. */
export function makeTiffOfPages(first: Buffer, second: Buffer): Buffer {
  const file = Buffer.concat([first, second]);
  const directoryOf = (start: number): number => start + file.readUInt32LE(start + 4);
  const directory = directoryOf(first.length);
  // Offsets of the second file are now relative to the end of the first: values that lie elsewhere, and strips.
  for (let index = file.readUInt16LE(directory) - 1; index >= 0; index -= 1) {
    const at = directory + 2 + index * 12;
    const [tag, type, count] = [file.readUInt16LE(at), file.readUInt16LE(at + 2), file.readUInt32LE(at + 4)];
    const move = (place: number): void =>
      void file.writeUInt32LE(file.readUInt32LE(place) + first.length, place);
    const isElsewhere = count * ([0, 1, 1, 2, 4, 8][type] ?? 1) > 4;
    if (isElsewhere) move(at + 8);
    if (tag !== 273) continue;
    const values = isElsewhere ? file.readUInt32LE(at + 8) : at + 8;
    for (let value = 0; value < count; value += 1) move(values + value * 4);
  }
  const last = directoryOf(0);
  file.writeUInt32LE(directory, last + 2 + file.readUInt16LE(last) * 12);
  return file;
}

/** A box of an ISO base media file. */
export function makeBox(type: string, ...content: (Buffer | string)[]): Buffer {
  const body = Buffer.concat(
    content.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)),
  );
  const size = Buffer.alloc(4);
  size.writeUInt32BE(8 + body.length);
  return Buffer.concat([size, Buffer.from(type, 'latin1'), body]);
}

/** The content of the first box of a type. */
function boxOf(file: Buffer, type: string): Buffer {
  const at = file.indexOf(type, 0, 'latin1');
  return file.subarray(at + 4, at - 4 + file.readUInt32BE(at - 4));
}

/** An AVIF of two images, in different colors, of which the second is the primary one. */
export async function makeTwoImageAvif(
  first: { readonly width: number; readonly height: number },
  second: { readonly width: number; readonly height: number },
): Promise<Buffer> {
  const images = await Promise.all(
    [
      { ...first, background: 'red' },
      { ...second, background: 'blue' },
    ].map((create) =>
      sharp({ create: { ...create, channels: 3 } })
        .avif()
        .toBuffer(),
    ),
  );
  const payloads = images.map((image) => boxOf(image, 'mdat'));
  const numbers = (size: 1 | 2 | 4, ...values: number[]): Buffer => {
    const bytes = Buffer.alloc(size * values.length);
    for (const [index, value] of values.entries()) bytes.writeUIntBE(value, index * size, size);
    return bytes;
  };
  const properties = images.flatMap((image) =>
    ['av1C', 'ispe', 'pixi'].map((type) => makeBox(type, boxOf(image, type))),
  );
  const entry = (id: number): Buffer => makeBox('infe', numbers(4, 0x02000000), numbers(2, id, 0), 'av01\0');
  const meta = (offsets: readonly number[]): Buffer =>
    makeBox(
      'meta',
      numbers(4, 0),
      makeBox('hdlr', numbers(4, 0, 0), 'pict', Buffer.alloc(13)),
      makeBox('pitm', numbers(4, 0), numbers(2, 2)),
      makeBox(
        'iloc',
        numbers(4, 0),
        numbers(1, 0x44, 0),
        numbers(2, 2),
        ...payloads.flatMap((payload, index) => [
          numbers(2, index + 1, 0, 1),
          numbers(4, offsets[index] ?? 0, payload.length),
        ]),
      ),
      makeBox('iinf', numbers(4, 0), numbers(2, 2), entry(1), entry(2)),
      makeBox(
        'iprp',
        makeBox('ipco', ...properties),
        makeBox(
          'ipma',
          numbers(4, 0, 2),
          numbers(2, 1),
          numbers(1, 3, 0x81, 2, 3),
          numbers(2, 2),
          numbers(1, 3, 0x84, 5, 6),
        ),
      ),
    );
  const head = makeBox('ftyp', 'avif', numbers(4, 0), 'avifmif1miaf');
  const start = head.length + meta([0, 0]).length + 8;
  const [length = 0] = payloads.map((payload) => payload.length);
  return Buffer.concat([head, meta([start, start + length]), makeBox('mdat', ...payloads)]);
}
