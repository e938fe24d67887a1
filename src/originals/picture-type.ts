/** The pictures that are taken, by the name Cloudinary has for their format. */
export type PictureType = 'jpg' | 'png' | 'webp' | 'avif' | 'gif' | 'tif';

const text = (content: Buffer, from: number, to: number): string => content.toString('latin1', from, to);

/** First bytes of a type. Nothing else is ever handed to a decoder: libvips would guess, and read SVG and more. */
const SIGNATURES: readonly (readonly [PictureType, (content: Buffer) => boolean])[] = [
  ['jpg', (content) => text(content, 0, 3) === '\xff\xd8\xff'],
  ['png', (content) => text(content, 0, 8) === '\x89PNG\r\n\x1a\n'],
  ['gif', (content) => /^GIF8[79]a$/.test(text(content, 0, 6))],
  ['webp', (content) => text(content, 0, 4) === 'RIFF' && text(content, 8, 12) === 'WEBP'],
  ['avif', (content) => text(content, 4, 8) === 'ftyp' && /avi[fs]/.test(brandsOf(content))],
  ['tif', (content) => ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'].includes(text(content, 0, 4))],
];

/** What else people send, so that the refusal can say it. */
const REFUSED: readonly (readonly [string, (start: string) => boolean])[] = [
  ['an SVG, whose scripts and references are not for pictures', (start) => /<svg[\s>]/i.test(start)],
  ['a PDF', (start) => start.includes('%PDF-')],
  [
    'a HEIC with HEVC inside, which is not decoded here',
    (start) => /^.{4}ftyp(hei|hev|mif1|msf1)/s.test(start),
  ],
];

/** The type by content, or null; the name and the declared type of a file say nothing. */
export function findPictureType(content: Buffer): PictureType | null {
  return SIGNATURES.find(([, matches]) => matches(content))?.[0] ?? null;
}

/** Words for a refusal: what a file that is no picture of ours seems to be. */
export function describeType(content: Buffer): string {
  const start = text(content, 0, 4_096);
  return REFUSED.find(([, matches]) => matches(start))?.[0] ?? 'none of these';
}

/**
 * Where the picture ends in its file: an offset, null where the file ends first, undefined where the format does not
 * tell (JPEG: phones append further pictures and films to it; TIFF; AVIF).
 */
export function findPictureEnd(type: PictureType, content: Buffer): number | null | undefined {
  switch (type) {
    case 'png':
      return findPngEnd(content);
    case 'gif':
      return findGifEnd(content);
    case 'webp': {
      const end = content.length < 12 ? Infinity : 8 + content.readUInt32LE(4);
      return end > content.length ? null : end;
    }
    case 'jpg':
    case 'tif':
    case 'avif':
      return undefined;
    default:
      return type satisfies never;
  }
}

/** Major and compatible brands of an ISO base media file (ISO/IEC 14496-12 §4.3). */
function brandsOf(content: Buffer): string {
  const size = content.length < 8 ? 0 : content.readUInt32BE(0);
  return text(content, 8, Math.min(size, 256));
}

/** Behind the `IEND` chunk (PNG §5.3). */
function findPngEnd(content: Buffer): number | null {
  for (let at = 8; at + 12 <= content.length;) {
    const end = at + 12 + content.readUInt32BE(at);
    if (end > content.length) return null;
    if (text(content, at + 4, at + 8) === 'IEND') return end;
    at = end;
  }
  return null;
}

/** Behind the trailer (GIF89a §27). */
function findGifEnd(content: Buffer): number | null {
  const colours = (flags: number): number => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);
  let at = 13 + colours(content[10] ?? 0);
  while (at < content.length) {
    const block = content[at];
    if (block === 0x3b) return at + 1;
    if (block === 0x21) at += 2;
    else if (block === 0x2c) at += 11 + colours(content[at + 9] ?? 0);
    else return null;
    // Sub-blocks, each with its length in front; none of length 0 ends them.
    for (let size = content[at] ?? 0; size !== 0; size = content[at] ?? 0) at += size + 1;
    at += 1;
  }
  return null;
}
