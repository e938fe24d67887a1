import type { Metadata } from 'sharp';

const COMPRESSION_TAG = 259;
/** TIFF 6.0 §22, which libtiff reads wrongly if it is tiled; Technical Note 2 replaces it. */
const OLD_STYLE_JPEG = 6;
/** Compressions that libtiff, as sharp builds it, does not read (registry of TIFF tag 259). */
const TIFF_COMPRESSIONS: ReadonlyMap<number, string> = new Map([
  [OLD_STYLE_JPEG, 'old-style JPEG'],
  [9, 'JBIG'],
  [10, 'JBIG'],
  [32_908, 'PixarFilm compression'],
  [32_909, 'PixarLog compression'],
  [34_661, 'JBIG'],
  [34_712, 'JPEG 2000'],
  [34_887, 'LERC'],
  [34_892, 'lossy JPEG of a DNG'],
  [34_925, 'LZMA'],
  [34_933, 'PNG'],
  [34_934, 'JPEG XR'],
  [50_000, 'Zstandard'],
  [50_002, 'JPEG XL'],
  [52_546, 'JPEG XL'],
]);
/** Signed integers, which libvips clips instead of moving them to the range of bytes. */
const SIGNED = new Set(['char', 'short', 'int']);
/** Directories that are followed at most: they can form a cycle. */
const MAX_DIRECTORIES = 10_000;

/**
 * Why a decoder would fail for a file, or read wrong colours; undefined otherwise.
 * @param metadata Of the page; null if it is unreadable.
 * @param page Of a TIFF, 0-based.
 */
export function describeUndecodable(body: Buffer, metadata: Metadata | null, page = 0): string | undefined {
  if (metadata === null && isAnimatedAvif(body)) return 'animated AVIF';
  const compression = TIFF_COMPRESSIONS.get(findCompression(body, page) ?? 0);
  if (compression !== undefined) return `${compression} in TIFF`;
  if (metadata === null) return undefined;
  const { format, channels, depth, space, hasAlpha } = metadata;
  if (channels > 4 && space !== 'cmyk') return `${channels} channels`;
  if (format !== 'tiff') return undefined;
  const isLab = space.startsWith('lab');
  if (isLab && hasAlpha) return 'Lab with alpha in TIFF';
  if (!isLab && SIGNED.has(depth)) return 'signed integers in TIFF';
  return undefined;
}

/** The major or a compatible brand `avis` (AV1 Image File Format §6). */
function isAnimatedAvif(body: Buffer): boolean {
  if (body.length < 16 || body.toString('latin1', 4, 8) !== 'ftyp') return false;
  return body.toString('latin1', 8, Math.min(body.readUInt32BE(0), 256)).includes('avis');
}

/** The compression of a page (TIFF 6.0 §2); undefined if it has none, and for any other file, and a BigTIFF. */
function findCompression(body: Buffer, page: number): number | undefined {
  const isLittleEndian = body[0] === 0x49;
  const read = (at: number, size: number): number =>
    isLittleEndian ? body.readUIntLE(at, size) : body.readUIntBE(at, size);
  try {
    if (!['II', 'MM'].includes(body.toString('latin1', 0, 2)) || read(2, 2) !== 42) return undefined;
    let directory = read(4, 4);
    for (let index = 0; index < Math.min(page, MAX_DIRECTORIES); index += 1) {
      directory = read(directory + 2 + read(directory, 2) * 12, 4);
    }
    for (let entry = read(directory, 2) - 1; entry >= 0; entry -= 1) {
      const at = directory + 2 + entry * 12;
      if (read(at, 2) === COMPRESSION_TAG) return read(at + 8, 2);
    }
    return undefined;
  } catch (error) {
    // An offset points behind the file; the decoder decides.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
