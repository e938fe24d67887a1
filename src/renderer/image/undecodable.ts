import type { Metadata } from 'sharp';

/** TIFF 6.0 §22, which libtiff reads wrongly if it is tiled; Technical Note 2 replaces it. */
const OLD_STYLE_JPEG = 6;
const COMPRESSION_TAG = 259;
/** Signed integers, which libvips clips instead of moving them to the range of bytes. */
const SIGNED = new Set(['char', 'short', 'int']);

/** Why a decoder would fail for a file, or read wrong colours; undefined otherwise. @param metadata Null if unreadable. */
export function describeUndecodable(body: Buffer, metadata: Metadata | null): string | undefined {
  if (metadata === null) return isAnimatedAvif(body) ? 'animated AVIF' : undefined;
  const { format, channels, depth, space, hasAlpha } = metadata;
  if (channels > 4 && space !== 'cmyk') return `${channels} channels`;
  if (format !== 'tiff') return undefined;
  if (findCompression(body) === OLD_STYLE_JPEG) return 'old-style JPEG in TIFF';
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

/** The compression of the first directory (TIFF 6.0 §2); undefined if it has none, and for a BigTIFF. */
function findCompression(body: Buffer): number | undefined {
  const isLittleEndian = body[0] === 0x49;
  const read = (at: number, size: number): number =>
    isLittleEndian ? body.readUIntLE(at, size) : body.readUIntBE(at, size);
  try {
    if (read(2, 2) !== 42) return undefined;
    const directory = read(4, 4);
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
