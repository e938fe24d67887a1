/** Markers of a JPEG (ITU T.81, annex B). */
const START_OF_IMAGE = 0xffd8;
const START_OF_SCAN = 0xffda;
const JFIF = 0xffe0;
const EXIF_OR_XMP = 0xffe1;
const IPTC = 0xffed;
/** Tag of the camera's orientation in Exif. */
const ORIENTATION = 0x0112;

interface Segment {
  readonly marker: number;
  /** Including the marker and its length. */
  readonly bytes: Buffer;
}

/**
 * A JPEG with the Exif, XMP and IPTC of another, for `fl_keep_iptc`
 * (https://cloudinary.com/documentation/transformation_reference#fl_keep_iptc). The orientation becomes 1, since the
 * pixels are upright already.
 */
export function withMetadataOf(jpeg: Buffer, original: Buffer): Buffer {
  const kept = segments(original)
    .filter(({ marker }) => marker === EXIF_OR_XMP || marker === IPTC)
    .map(({ bytes }) => upright(Buffer.from(bytes)));
  // JFIF must come first (JFIF 1.02), the rest in any order.
  const [first] = segments(jpeg);
  const at = 2 + (first?.marker === JFIF ? first.bytes.length : 0);
  return Buffer.concat([jpeg.subarray(0, at), ...kept, jpeg.subarray(at)]);
}

/** The segments before the image data; empty for any other file, and without truncated ones. */
function segments(jpeg: Buffer): readonly Segment[] {
  const found: Segment[] = [];
  if (jpeg.length < 4 || jpeg.readUInt16BE(0) !== START_OF_IMAGE) return found;
  for (let at = 2; at + 4 <= jpeg.length;) {
    const marker = jpeg.readUInt16BE(at);
    const end = at + 2 + jpeg.readUInt16BE(at + 2);
    if (marker === START_OF_SCAN || marker >> 8 !== 0xff || end > jpeg.length) break;
    found.push({ marker, bytes: jpeg.subarray(at, end) });
    at = end;
  }
  return found;
}

/** Sets the orientation of an Exif segment to 1, in place; other segments stay. */
function upright(segment: Buffer): Buffer {
  const tiff = segment.subarray(10);
  if (segment.toString('latin1', 4, 10) !== 'Exif\0\0' || tiff.length < 14) return segment;
  const isLittle = tiff.toString('latin1', 0, 2) === 'II';
  const read16 = (at: number): number => (isLittle ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at));
  const directory = isLittle ? tiff.readUInt32LE(4) : tiff.readUInt32BE(4);
  if (directory + 2 > tiff.length) return segment;
  for (let entry = 0; entry < read16(directory); entry += 1) {
    const at = directory + 2 + entry * 12;
    if (at + 12 > tiff.length) break;
    if (read16(at) !== ORIENTATION) continue;
    if (isLittle) tiff.writeUInt16LE(1, at + 8);
    else tiff.writeUInt16BE(1, at + 8);
  }
  return segment;
}
