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

/** Major and compatible brands of an ISO base media file (ISO/IEC 14496-12 §4.3). */
function brandsOf(content: Buffer): string {
  const size = content.length < 8 ? 0 : content.readUInt32BE(0);
  return text(content, 8, Math.min(size, 256));
}
