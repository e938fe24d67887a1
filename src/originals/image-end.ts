import { setImmediate } from 'node:timers/promises';
import type { DecodedFormat } from './image-type.js';

/** The offset in bytes behind the last byte of an image, or null where its structure does not show that. */
export type ImageEnd = number | null;

/** Bytes after which a search lets other requests run: 25 MiB at once would delay them. */
const STEP = 2 ** 20;

/**
 * Finds the end of an image by the structure of its format.
 * @param file A whole file of that type.
 * @returns An offset that is at most the file's length.
 */
export async function findImageEnd(type: DecodedFormat, file: Buffer): Promise<ImageEnd> {
  try {
    return await findEnd(type, file);
  } catch (error) {
    // An offset or a length points behind the file.
    if (error instanceof RangeError) return null;
    throw error;
  }
}

async function findEnd(type: DecodedFormat, file: Buffer): Promise<ImageEnd> {
  switch (type) {
    case 'jpg':
      return findJpegEnd(file);
    case 'png':
      return findPngEnd(file);
    case 'gif':
      return findGifEnd(file);
    case 'webp':
      return within(file, 8 + file.readUInt32LE(4));
    case 'avif':
      return findAvifEnd(file);
    case 'tif':
      return new TiffReader(file).findEnd();
    default:
      return type satisfies never;
  }
}

const within = (file: Buffer, end: number): ImageEnd => (end > file.length ? null : end);

/**
 * Behind the first marker `EOI` outside of a segment (ITU T.81, annex B). Segments are skipped by their length, so that
 * a thumbnail in one of them does not end the image. The bytes of a scan are read up to the next marker: a scan can
 * contain restart markers, and many scans can follow each other.
 */
async function findJpegEnd(file: Buffer): Promise<ImageEnd> {
  let pause = STEP;
  for (let at = 2; at + 1 < file.length;) {
    if (at > pause) pause = await nextStep(at);
    const marker = file[at] === 0xff ? (file[at + 1] ?? 0) : 0;
    if (marker === EOI) return at + 2;
    // Another image begins before this one has ended.
    if (marker === SOI) return null;
    // Restart markers have no length; 0 stands for a byte FF of the scan, and FF is padding.
    const hasLength = marker >= 0xc0 && marker !== 0xff && !(marker >= 0xd0 && marker <= 0xd7);
    at += hasLength ? 2 + file.readUInt16BE(at + 2) : 1;
  }
  return null;
}

const SOI = 0xd8;
const EOI = 0xd9;

const IEND = Buffer.from('IEND').readUInt32BE();

/** Behind the `IEND` chunk (PNG §5.3). */
async function findPngEnd(file: Buffer): Promise<ImageEnd> {
  let pause = STEP;
  for (let at = 8; at + 12 <= file.length;) {
    const end = at + 12 + file.readUInt32BE(at);
    if (end > file.length) return null;
    if (file.readUInt32BE(at + 4) === IEND) return end;
    at = end;
    if (at > pause) pause = await nextStep(at);
  }
  return null;
}

/**
 * Behind the trailer (GIF89a §27). Some encoders leave it out: then behind the last complete block, if that is the end
 * of the file and an image was among the blocks.
 */
async function findGifEnd(file: Buffer): Promise<ImageEnd> {
  const colors = (flags: number): number => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);
  let pause = STEP;
  let at = 13 + colors(file[10] ?? 0);
  let hasImage = false;
  while (at < file.length) {
    const block = file[at];
    if (block === 0x3b) return at + 1;
    if (block === 0x21) at += 2;
    else if (block === 0x2c) {
      at += 11 + colors(file[at + 9] ?? 0);
      hasImage = true;
    } else return null;
    // Sub-blocks, each with its length in front; length 0 ends them.
    for (let size = file[at] ?? 0; size !== 0; size = file[at] ?? 0) {
      at += size + 1;
      if (at > pause) pause = await nextStep(at);
    }
    at += 1;
  }
  return hasImage && at === file.length ? at : null;
}

/**
 * Behind the box with the last byte that an item of the image refers to. Boxes in front of that are kept: free space,
 * tracks of an animation. Where that box has no size (Adobe writes such), the image ends with that byte.
 */
function findAvifEnd(file: Buffer): ImageEnd {
  const boxes = listBoxes(file, 0, file.length);
  const meta = boxes.find(({ type }) => type === 'meta');
  if (meta === undefined || meta.isOpen) return null;
  const last = Math.max(meta.end, findLastExtent(file, meta));
  const box = boxes.find(({ end }) => end >= last);
  if (box === undefined) return null;
  return box.isOpen ? last : within(file, box.end);
}

/** A box of an ISO base media file (ISO/IEC 14496-12 §4.2). */
interface Box {
  readonly type: string;
  /** The offset of its content. */
  readonly start: number;
  readonly end: number;
  /** Whether it has no size, but lasts to the end of the file. */
  readonly isOpen: boolean;
}

const MAX_BOXES = 1_000;

/** The first boxes in a part of a file. The last of them can be truncated. */
function listBoxes(file: Buffer, from: number, to: number): readonly Box[] {
  const boxes: Box[] = [];
  for (let at = from; at + 16 <= to && boxes.length < MAX_BOXES;) {
    const shortSize = file.readUInt32BE(at);
    const start = at + (shortSize === 1 ? 16 : 8);
    const size = shortSize === 1 ? Number(file.readBigUInt64BE(at + 8)) : shortSize;
    const isOpen = size === 0;
    const end = isOpen ? to : at + size;
    if (end < start) break;
    boxes.push({ type: file.toString('latin1', at + 4, at + 8), start, end, isOpen });
    at = end;
  }
  return boxes;
}

/**
 * The end of the last bytes of the file that an item refers to by the box `iloc` (ISO/IEC 14496-12 §8.11.3), or 0.
 * @throws RangeError where the box is truncated, or does not record a length.
 */
function findLastExtent(file: Buffer, meta: Box): number {
  const iloc = listBoxes(file, meta.start + 4, meta.end).find(({ type }) => type === 'iloc');
  if (iloc === undefined || iloc.end > Math.min(meta.end, iloc.start + STEP)) throw new RangeError('No iloc');
  let at = iloc.start;
  const read = (size: number): number => {
    at += size;
    if (at > iloc.end) throw new RangeError('The box iloc ends first');
    if (size === 0) return 0;
    return size === 8 ? Number(file.readBigUInt64BE(at - 8)) : file.readUIntBE(at - size, size);
  };
  const version = read(1);
  read(3);
  const [sizes, moreSizes] = [read(1), read(1)];
  let end = 0;
  for (let items = read(version < 2 ? 2 : 4); items > 0; items -= 1) {
    read(version < 2 ? 2 : 4);
    // Other items are in the box `idat`, or consist of items.
    const isInFile = version === 0 || (read(2) & 15) === 0;
    read(2);
    const base = read(moreSizes >> 4);
    for (let extents = read(2); extents > 0; extents -= 1) {
      if (version > 0) read(moreSizes & 15);
      const start = base + read(sizes >> 4);
      const length = read(sizes & 15);
      if (length === 0) throw new RangeError('The extent has no length');
      if (isInFile) end = Math.max(end, start + length);
    }
  }
  return end;
}

/** Bytes of a value by its type (TIFF 6.0 §2, BigTIFF). */
const TIFF_VALUE_SIZES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];
/** Tags of offsets, each with the tag of the lengths of what is there: strips, tiles, an embedded JPEG. */
const TIFF_DATA = [
  [273, 279],
  [324, 325],
  [513, 514],
] as const;
/** Tags of offsets of directories: SubIFDs, Exif, GPS, interoperability. */
const TIFF_DIRECTORIES = [330, 34_665, 34_853, 40_965] as const;
/** Numbers and directories that are read at most: directories can overlap, and so outnumber the bytes of the file. */
const TIFF_LIMITS = { numbers: 1_000_000, directories: 10_000 } as const;

/** The values of one entry of a directory. */
interface TiffField {
  readonly start: number;
  /** Bytes of one value. */
  readonly size: number;
  readonly count: number;
}

/**
 * Finds the last byte that a directory of a TIFF refers to: a value, a strip, a tile, another directory (TIFF 6.0 §2).
 * What only an unknown tag points to is not part of the image. Its methods throw a RangeError where an offset points
 * behind the file, and where there is too much to read.
 */
class TiffReader {
  private readonly isLittleEndian: boolean;
  private readonly isBig: boolean;
  private readonly directories: number[] = [];
  private end = 0;
  private reads = 0;

  constructor(private readonly file: Buffer) {
    this.isLittleEndian = file[0] === 0x49;
    this.isBig = file[this.isLittleEndian ? 2 : 3] === 0x2b;
  }

  findEnd(): number {
    this.directories.push(this.isBig ? this.read(8, 8) : this.read(4, 4));
    const seen = new Set([0]);
    for (let at = this.directories.pop(); at !== undefined; at = this.directories.pop()) {
      if (seen.has(at)) continue;
      seen.add(at);
      if (seen.size > TIFF_LIMITS.directories) throw new RangeError('There are too many directories');
      this.readDirectory(at);
    }
    return this.end;
  }

  private readDirectory(at: number): void {
    const [countSize, entrySize, offsetSize] = this.isBig ? [8, 20, 8] : [2, 12, 4];
    const first = at + countSize;
    const next = first + this.read(at, countSize) * entrySize;
    this.reach(next + offsetSize);
    const fields = new Map<number, TiffField>();
    for (let entry = first; entry < next; entry += entrySize) {
      const size = TIFF_VALUE_SIZES[this.read(entry + 2, 2)] ?? 0;
      const count = this.read(entry + 4, offsetSize);
      const place = entry + 4 + offsetSize;
      const start = size * count <= offsetSize ? place : this.read(place, offsetSize);
      this.reach(start + size * count);
      fields.set(this.read(entry, 2), { start, size, count });
    }
    for (const [offsetsTag, lengthsTag] of TIFF_DATA) {
      const offsets = this.valuesOf(fields.get(offsetsTag));
      const lengths = this.valuesOf(fields.get(lengthsTag));
      // Without its length, nothing shows where a strip ends.
      for (const [index, offset] of offsets.entries()) this.reach(offset + (lengths[index] ?? Infinity));
    }
    const pointers = TIFF_DIRECTORIES.flatMap((tag) => this.valuesOf(fields.get(tag)));
    for (const pointer of [...pointers, this.read(next, offsetSize)]) this.directories.push(pointer);
  }

  private valuesOf({ start, size, count }: TiffField = { start: 0, size: 0, count: 0 }): readonly number[] {
    return Array.from({ length: count }, (_, index) => this.read(start + index * size, size));
  }

  private reach(end: number): void {
    if (end > this.file.length) throw new RangeError('An offset points behind the file');
    this.end = Math.max(this.end, end);
  }

  private read(at: number, size: number): number {
    const { file, isLittleEndian } = this;
    this.reads += 1;
    if (this.reads > TIFF_LIMITS.numbers) throw new RangeError('There is too much to read');
    if (size === 8) return Number(isLittleEndian ? file.readBigUInt64LE(at) : file.readBigUInt64BE(at));
    return isLittleEndian ? file.readUIntLE(at, size) : file.readUIntBE(at, size);
  }
}

/** Lets other requests run. @returns the offset of the next pause. */
async function nextStep(at: number): Promise<number> {
  await setImmediate();
  return at + STEP;
}
