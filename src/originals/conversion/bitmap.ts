import { ConversionError } from './conversion.js';

/** Straight RGBA. */
export interface DecodedBitmap {
  readonly width: number;
  readonly height: number;
  readonly content: Uint8Array;
}

/** What the header of a device-independent bitmap describes. */
export interface BitmapHeader {
  readonly width: number;
  readonly height: number;
  readonly bits: number;
  readonly isTopDown: boolean;
  /** Masks of red, green, blue and alpha; of 16 and 32 bits. */
  readonly masks: readonly [number, number, number, number];
  readonly palette: Uint8Array;
  /** Where an icon has its pixels. */
  readonly end: number;
}

/** Sizes of BITMAPINFOHEADER and its successors, to version 5. */
const HEADER_SIZES = new Set([40, 52, 56, 108, 124]);
const [MASKED, MASKED_WITH_ALPHA] = [3, 6];
const BITS = new Set([1, 4, 8, 16, 24, 32]);
const DEFAULT_MASKS: ReadonlyMap<number, BitmapHeader['masks']> = new Map([
  [16, [0x7c00, 0x3e0, 0x1f, 0]],
  [32, [0xff0000, 0xff00, 0xff, 0]],
]);

/**
 * Reads the header of a bitmap (Microsoft, "Bitmap Storage").
 * @param at Where it starts: after the header of a BMP file.
 * @param isIcon Whether a mask of transparency follows the pixels; the header's height counts both.
 * @throws ConversionError for a bitmap that is compressed, of OS/2, or of other bits.
 * @throws RangeError if it is truncated.
 */
export function readBitmapHeader(file: Uint8Array, at: number, isIcon: boolean): BitmapHeader {
  const view = new DataView(file.buffer, file.byteOffset + at, file.byteLength - at);
  const size = view.getUint32(0, true);
  if (!HEADER_SIZES.has(size)) throw new ConversionError('unsupported', 'BMP of OS/2');
  const [bits, compression] = [view.getUint16(14, true), view.getUint32(16, true)];
  if (!BITS.has(bits)) throw new ConversionError('unsupported', `BMP of ${bits} bits`);
  const isMasked = (compression === MASKED || compression === MASKED_WITH_ALPHA) && DEFAULT_MASKS.has(bits);
  if (compression !== 0 && !isMasked) throw new ConversionError('unsupported', 'compressed BMP');
  const hasAlphaMask = compression === MASKED_WITH_ALPHA || size >= 56;
  const masks = isMasked
    ? ([40, 44, 48, 52].map((place) =>
        place < 52 || hasAlphaMask ? view.getUint32(place, true) : 0,
      ) as unknown as BitmapHeader['masks'])
    : (DEFAULT_MASKS.get(bits) ?? [0, 0, 0, 0]);
  const masksAfter = size > 40 || !isMasked ? 0 : compression === MASKED ? 12 : 16;
  // A palette that a file of true colors suggests is not used, but takes its place.
  const colors = view.getUint32(32, true) || (bits > 8 ? 0 : 2 ** bits);
  const start = at + size + masksAfter;
  const end = start + colors * 4;
  if (end > file.byteLength) throw new RangeError('The palette is truncated');
  const height = view.getInt32(8, true);
  return {
    width: view.getInt32(4, true),
    height: Math.floor(Math.abs(height) / (isIcon ? 2 : 1)),
    ...{ bits, isTopDown: height < 0, end },
    masks: isIcon && bits === 32 && !isMasked ? [masks[0], masks[1], masks[2], 0xff000000] : masks,
    palette: bits > 8 ? new Uint8Array() : file.subarray(start, end),
  };
}

/**
 * Decodes the pixels of a bitmap.
 * @param at Where they start.
 * @throws RangeError if they are truncated.
 */
export function decodeBitmap(
  file: Uint8Array,
  header: BitmapHeader,
  at: number,
  isIcon: boolean,
): DecodedBitmap {
  const { width, height, bits, isTopDown } = header;
  const rows = rowsOf(file, at, { width, height, bits });
  const content = new Uint8Array(width * height * 4);
  const write = PIXELS[bits <= 8 ? 'indexed' : bits === 24 ? 'plain' : 'masked'](header, content);
  for (let y = 0; y < height; y += 1) {
    const row = rows(isTopDown ? y : height - 1 - y);
    for (let x = 0, to = y * width * 4; x < width; x += 1, to += 4) write(row, x, to);
  }
  // Alpha that is 0 everywhere is a byte that the program did not use, as browsers treat it.
  const hasAlpha = hasVisible(content);
  if (!hasAlpha) for (let to = 3; to < content.length; to += 4) content[to] = 255;
  if (isIcon && !(bits === 32 && hasAlpha)) {
    const masked = rowsOf(file, at + height * strideOf(width, bits), { width, height, bits: 1 });
    for (let y = 0; y < height; y += 1) {
      const row = masked(isTopDown ? y : height - 1 - y);
      for (let x = 0; x < width; x += 1) if (bitsAt(row, x, 1) === 1) content[(y * width + x) * 4 + 3] = 0;
    }
  }
  return { width, height, content };
}

/** Bytes of a row, which is padded to 32 bits. */
const strideOf = (width: number, bits: number): number => Math.ceil((width * bits) / 32) * 4;

function rowsOf(
  file: Uint8Array,
  at: number,
  { width, height, bits }: Pick<BitmapHeader, 'width' | 'height' | 'bits'>,
): (index: number) => Uint8Array {
  const stride = strideOf(width, bits);
  if (at + stride * height > file.byteLength) throw new RangeError('The pixels are truncated');
  return (index) => file.subarray(at + index * stride, at + (index + 1) * stride);
}

/** A value of 1, 4 or 8 bits. */
const bitsAt = (row: Uint8Array, x: number, bits: number): number =>
  ((row[(x * bits) >> 3] ?? 0) >> (8 - bits - ((x * bits) & 7))) & (2 ** bits - 1);

/** Writes the pixel `x` of a row as RGBA to `to`. */
type PixelWriter = (row: Uint8Array, x: number, to: number) => void;

const PIXELS: Readonly<
  Record<'indexed' | 'plain' | 'masked', (header: BitmapHeader, content: Uint8Array) => PixelWriter>
> = {
  indexed:
    ({ palette, bits }, content) =>
    (row, x, to) => {
      const from = bitsAt(row, x, bits) * 4;
      writeBgr(palette, from, content, to);
    },
  plain: (_, content) => (row, x, to) => {
    writeBgr(row, x * 3, content, to);
  },
  masked: ({ masks, bits }, content) => {
    const channels = masks.map(channelOf);
    const bytes = bits / 8;
    return (row, x, to) => {
      const from = x * bytes;
      const low = (row[from] ?? 0) | ((row[from + 1] ?? 0) << 8);
      const pixel =
        bytes === 2 ? low : (low | ((row[from + 2] ?? 0) << 16) | ((row[from + 3] ?? 0) << 24)) >>> 0;
      for (const [channel, read] of channels.entries()) content[to + channel] = read(pixel);
    };
  },
};

function writeBgr(source: Uint8Array, from: number, content: Uint8Array, to: number): void {
  content[to] = source[from + 2] ?? 0;
  content[to + 1] = source[from + 1] ?? 0;
  content[to + 2] = source[from] ?? 0;
  content[to + 3] = 255;
}

/** Reads a channel as a byte; an absent one is 0, so that an absent alpha is opaque. */
function channelOf(mask: number): (pixel: number) => number {
  if (mask === 0) return () => 0;
  const shift = 31 - Math.clz32(mask & -mask);
  const most = mask >>> shift;
  return (pixel) => Math.round((((pixel & mask) >>> shift) * 255) / most);
}

function hasVisible(content: Uint8Array): boolean {
  for (let at = 3; at < content.length; at += 4) if (content[at] !== 0) return true;
  return false;
}
