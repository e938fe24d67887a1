import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Metadata, Sharp, SharpOptions } from 'sharp';
import { findImageEnd } from './image-end.js';
import { InvalidOriginalError, OriginalTooLargeError } from './original.errors.js';
import { describeType, findImageType, type ImageType } from './image-type.js';

/** Limits of an original. */
export const ORIGINAL_LIMITS = {
  bytes: 25 * 2 ** 20,
  /** Of all frames together. */
  pixels: 50_000_000,
  frames: 1_000,
  /** Of decoding it once. */
  seconds: 10,
} as const;

/** A complete image within the limits. */
export interface InspectedOriginal {
  /** The image, without bytes behind its end. */
  readonly content: Buffer;
  /** Hexadecimal. */
  readonly sha256: string;
  readonly format: ImageType;
  /** Pixels of a frame. */
  readonly width: number;
  readonly height: number;
}

/**
 * Checks a file by its content: type, size, pixels, and that it can be decoded to its end.
 * @throws InvalidOriginalError (422) naming the limit, OriginalTooLargeError (413).
 */
export async function inspectOriginal(file: Buffer): Promise<InspectedOriginal> {
  if (file.length === 0) throw new InvalidOriginalError('integrity', 'The file is empty.');
  if (file.length > ORIGINAL_LIMITS.bytes) throw new OriginalTooLargeError(ORIGINAL_LIMITS.bytes);
  const format = findImageType(file);
  if (format === null) {
    throw new InvalidOriginalError(
      'type',
      `The file must be a JPEG, PNG, WebP, AVIF, GIF or TIFF by its content; it is ${describeType(file)}.`,
    );
  }
  const content = await cutAtEnd(format, file);
  await requireNothingElse(content);
  const metadata = await readMetadata(content, { page: 0 });
  await decodeAll(content, metadata);
  return {
    content,
    sha256: createHash('sha256').update(content).digest('hex'),
    format,
    width: metadata.width,
    height: frameHeight(metadata),
  };
}

/** The formats that cameras, phones and editors append images, films and data to. */
const CUT_AT_END: ReadonlySet<ImageType> = new Set(['jpg', 'avif', 'tif']);

/**
 * Removes bytes behind the image: no viewer shows them, and they could be anything. A JPEG, AVIF or TIFF is
 * cut off at its end; a PNG, GIF or WebP that goes on is refused, except for padding with zeros. A file whose structure
 * does not show an end is refused in every format, even if a decoder would accept it.
 * @throws InvalidOriginalError (422)
 */
async function cutAtEnd(format: ImageType, file: Buffer): Promise<Buffer> {
  const end = await findImageEnd(format, file);
  if (end === null) {
    throw new InvalidOriginalError(
      'integrity',
      'The structure of the file does not show where its image ends: the file is truncated, damaged, or of a kind ' +
        'that records no length. Save the image again.',
    );
  }
  if (CUT_AT_END.has(format)) return file.subarray(0, end);
  if (file.subarray(end).some((byte) => byte !== 0)) {
    throw new InvalidOriginalError('integrity', 'The file has bytes behind the end of its image.');
  }
  return file;
}

const SCAN_WINDOW = 2 ** 20;
const SCAN_OVERLAP = 16;
/** Markup that browsers and PHP would run. A letter behind `<html` or `<?php` makes it another name. */
const MARKUP = /<script|<html(?![\w-])|<\?php(?![\w\x80-\xff])/i;

/** An image that is a document or an archive at the same time (a polyglot) is refused. */
async function requireNothingElse(content: Buffer): Promise<void> {
  // PDF readers look for the header in the first 1,024 bytes (ISO 32000-1, Annex H.3.4.1).
  if (content.subarray(0, 1_024).includes('%PDF-')) throw polyglot('a PDF');
  if (endsAsZip(content)) throw polyglot('a ZIP archive');
  for (let at = 0; at < content.length; at += SCAN_WINDOW) {
    const window = content.toString('latin1', at, Math.min(content.length, at + SCAN_WINDOW + SCAN_OVERLAP));
    if (MARKUP.test(window)) throw polyglot('a web page or a script');
    // A file of 25 MiB must not delay all redirects.
    await setImmediate();
  }
}

/** An end of central directory record whose comment ends with the file (APPNOTE.TXT §4.3.16). */
function endsAsZip(content: Buffer): boolean {
  const tail = content.subarray(-(22 + 0xffff));
  for (
    let at = tail.lastIndexOf('PK\x05\x06');
    at >= 0;
    at = at === 0 ? -1 : tail.lastIndexOf('PK\x05\x06', at - 1)
  ) {
    if (at + 22 <= tail.length && at + 22 + tail.readUInt16LE(at + 20) === tail.length) return true;
  }
  return false;
}

async function readMetadata(content: Buffer, pages: PageRange): Promise<Metadata> {
  try {
    // The limit of pixels is checked later, where the refusal can name it.
    const image = await open(content, { ...pages, limitInputPixels: false });
    return await image.metadata();
  } catch {
    throw broken();
  }
}

type PageRange = Pick<SharpOptions, 'page' | 'pages'>;

/**
 * Decodes all frames or pages within the limits: at once if they have one size, else one by one, as those of a pyramid.
 * @param metadata Of the first.
 * @throws InvalidOriginalError (422) naming the limit.
 */
async function decodeAll(content: Buffer, metadata: Metadata): Promise<void> {
  const { pages = 1 } = metadata;
  if (pages > ORIGINAL_LIMITS.frames) {
    throw new InvalidOriginalError(
      'frames',
      `The image has ${pages} frames or pages; ${ORIGINAL_LIMITS.frames} are allowed.`,
    );
  }
  const deadline = performance.now() + ORIGINAL_LIMITS.seconds * 1_000;
  const step = (await haveOneSize(content, pages)) ? pages : 1;
  let pixels = 0;
  for (let page = 0; page < pages; page += step) {
    const part = page === 0 ? metadata : await readMetadata(content, { page });
    pixels += part.width * frameHeight(part) * step;
    if (pixels > ORIGINAL_LIMITS.pixels) {
      throw new InvalidOriginalError(
        'pixels',
        `The image has ${pixels} pixels or more in all frames or pages; ` +
          `${ORIGINAL_LIMITS.pixels / 1e6} million are allowed.`,
      );
    }
    await decode(content, { page, pages: step }, frameHeight(part), deadline);
  }
}

/** libvips reads pages together only if they have one size and one kind of pixels. */
async function haveOneSize(content: Buffer, pages: number): Promise<boolean> {
  if (pages === 1) return true;
  return readMetadata(content, { pages }).then(
    () => true,
    () => false,
  );
}

/** Decodes every row of every frame without storing all of them: the output is one pixel. */
async function decode(content: Buffer, pages: PageRange, height: number, deadline: number): Promise<void> {
  const seconds = Math.ceil((deadline - performance.now()) / 1_000);
  try {
    if (seconds <= 0) throw new Error('timeout');
    const image = await open(content, {
      ...pages,
      limitInputPixels: ORIGINAL_LIMITS.pixels,
      sequentialRead: true,
      // Not `warning`: cameras write files that decoders remark upon and show all the same.
      failOn: 'error',
    });
    await image
      .timeout({ seconds })
      .resize(1, height, { fit: 'fill', fastShrinkOnLoad: false })
      .raw()
      .toBuffer();
  } catch (error) {
    if (error instanceof Error && error.message.includes('timeout')) {
      throw new InvalidOriginalError(
        'time',
        `The image takes over ${ORIGINAL_LIMITS.seconds} seconds to decode.`,
      );
    }
    throw broken();
  }
}

/** The first upload loads the decoders: a service that only redirects needs no memory for them. */
async function open(content: Buffer, options: SharpOptions): Promise<Sharp> {
  const { default: sharp } = await import('sharp');
  return sharp(content, options);
}

function frameHeight({ height, pageHeight = height }: Metadata): number {
  return pageHeight;
}

function broken(): InvalidOriginalError {
  return new InvalidOriginalError(
    'integrity',
    'The image cannot be decoded to its end: the file is truncated or damaged.',
  );
}

function polyglot(what: string): InvalidOriginalError {
  return new InvalidOriginalError('type', `The file is an image and ${what} at the same time.`);
}
