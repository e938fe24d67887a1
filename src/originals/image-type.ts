import type { ConvertedFormat } from './conversion/conversion.js';

/** Accepted formats, by Cloudinary's names. */
export type ImageType = DecodedFormat | ConvertedFormat;

/** Formats that libvips decodes. */
export type DecodedFormat = 'jpg' | 'png' | 'webp' | 'avif' | 'gif' | 'tif';

const text = (content: Buffer, from: number, to: number): string => content.toString('latin1', from, to);

/** First bytes of a type. No other file reaches a decoder: libvips would guess. */
const DECODED: readonly (readonly [DecodedFormat, (content: Buffer) => boolean])[] = [
  ['jpg', (content) => text(content, 0, 3) === '\xff\xd8\xff'],
  ['png', (content) => text(content, 0, 8) === '\x89PNG\r\n\x1a\n'],
  ['gif', (content) => /^GIF8[79]a$/.test(text(content, 0, 6))],
  ['webp', (content) => text(content, 0, 4) === 'RIFF' && text(content, 8, 12) === 'WEBP'],
  ['avif', (content) => text(content, 4, 8) === 'ftyp' && /avi[fs]/.test(brandsOf(content))],
  ['tif', (content) => ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'].includes(text(content, 0, 4))],
];

const CONVERTED: readonly (readonly [ConvertedFormat, (content: Buffer) => boolean])[] = [
  ['svg', (content) => /<svg[\s>]/i.test(text(content, 0, 4_096))],
  ['pdf', (content) => text(content, 0, 1_024).includes('%PDF-')],
  [
    'heic',
    (content) =>
      text(content, 4, 8) === 'ftyp' && /hei[cfmsx]|hev[cmsx]|mi[af]1|msf1/.test(brandsOf(content)),
  ],
  ['jxl', (content) => /^(?:\xff\x0a|\0\0\0\x0cJXL )/.test(text(content, 0, 8))],
  ['ico', (content) => text(content, 0, 4) === '\0\0\x01\0'],
  ['bmp', (content) => /^BM.{4}\0{4}/s.test(text(content, 0, 10))],
];

/** The type of a file that libvips decodes, by its content; null for any other. The file's name is ignored. */
export function findDecodedFormat(content: Buffer): DecodedFormat | null {
  return DECODED.find(([, matches]) => matches(content))?.[0] ?? null;
}

/** The type of a file that must be converted first; null for any other. */
export function findConvertedFormat(content: Buffer): ConvertedFormat | null {
  if (findDecodedFormat(content) !== null) return null;
  return CONVERTED.find(([, matches]) => matches(content))?.[0] ?? null;
}

/** First bytes of further types that Cloudinary takes as an image. */
const UPLOADABLE: readonly (readonly [string, (content: Buffer) => boolean])[] = [
  ...DECODED,
  ...CONVERTED,
  ['eps', (content) => /^(?:%!PS|\xc5\xd0\xd3\xc6)/.test(text(content, 0, 4))],
  ['psd', (content) => text(content, 0, 4) === '8BPS'],
  ['cr3', (content) => text(content, 4, 12) === 'ftypcrx '],
  ['jp2', (content) => /^(?:\0\0\0\x0cjP  |\xff\x4f\xff\x51)/.test(text(content, 0, 8))],
  ['jxr', (content) => /^II\xbc[\0\x01]/.test(text(content, 0, 4))],
  ['djvu', (content) => text(content, 0, 8) === 'AT&TFORM'],
  ['flif', (content) => text(content, 0, 4) === 'FLIF'],
  ['indd', (content) => text(content, 0, 4) === '\x06\x06\xed\xf5'],
  ['glb', (content) => text(content, 0, 4) === 'glTF'],
  // Its only signature is at the end (Truevision TGA 2.0).
  ['tga', (content) => text(content, content.length - 18, content.length) === 'TRUEVISION-XFILE.\0'],
];

/** The type of a file that Cloudinary takes as an image, by its content; null for any other. */
export function findUploadableType(content: Buffer): string | null {
  return UPLOADABLE.find(([, matches]) => matches(content))?.[0] ?? null;
}

/** Major and compatible brands of an ISO base media file (ISO/IEC 14496-12 §4.3). */
function brandsOf(content: Buffer): string {
  const size = content.length < 8 ? 0 : content.readUInt32BE(0);
  return text(content, 8, Math.min(size, 256));
}
