/** What a bitmap is made of; by default BITMAPINFOHEADER, uncompressed, rows from below. */
export interface BitmapParts {
  readonly width: number;
  /** Negative: the first row is on top. */
  readonly height: number;
  readonly bits: number;
  readonly headerSize?: number;
  readonly compression?: number;
  readonly masks?: readonly number[];
  readonly colors?: readonly (readonly [red: number, green: number, blue: number])[];
  /** Rows as they are stored. */
  readonly rows: readonly (readonly number[])[];
  /** Behind the pixels: the mask of an icon. */
  readonly after?: Buffer;
}

/** A device-independent bitmap (Microsoft, "Bitmap Storage"). */
export function makeDib(parts: BitmapParts): Buffer {
  const {
    width,
    height,
    bits,
    headerSize = 40,
    compression = 0,
    masks = [],
    colors = [],
    rows,
    after,
  } = parts;
  const header = Buffer.alloc(Math.max(headerSize, 40 + masks.length * 4));
  header.writeUInt32LE(headerSize, 0);
  header.writeInt32LE(width, 4);
  header.writeInt32LE(height, 8);
  header.writeUInt16LE(1, 12);
  header.writeUInt16LE(bits, 14);
  header.writeUInt32LE(compression, 16);
  header.writeUInt32LE(colors.length, 32);
  for (const [index, mask] of masks.entries()) header.writeUInt32LE(mask, 40 + index * 4);
  const palette = colors.flatMap(([red, green, blue]) => [blue, green, red, 0]);
  const pixels = rows.flatMap((row) => [...row, ...Array<number>((4 - (row.length % 4)) % 4).fill(0)]);
  return Buffer.concat([header, Buffer.from(palette), Buffer.from(pixels), after ?? Buffer.alloc(0)]);
}

/** A BMP file. */
export function makeBmpOf(parts: BitmapParts): Buffer {
  const dib = makeDib(parts);
  const { rows } = parts;
  const pixels = rows.reduce((sum, row) => sum + Math.ceil(row.length / 4) * 4, 0);
  const head = Buffer.alloc(14);
  head.write('BM', 'latin1');
  head.writeUInt32LE(head.length + dib.length, 2);
  head.writeUInt32LE(head.length + dib.length - pixels, 10);
  return Buffer.concat([head, dib]);
}

/** An ICO of these images, each a bitmap without a file header, or a PNG. */
export function makeIcoOf(...images: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(6 + 16 * images.length);
  head.writeUInt16LE(1, 2);
  head.writeUInt16LE(images.length, 4);
  let offset = head.length;
  for (const [index, image] of images.entries()) {
    head.writeUInt32LE(image.length, 6 + 16 * index + 8);
    head.writeUInt32LE(offset, 6 + 16 * index + 12);
    offset += image.length;
  }
  return Buffer.concat([head, ...images]);
}
