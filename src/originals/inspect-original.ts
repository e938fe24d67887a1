import { createHash } from 'node:crypto';
import type { Metadata, Sharp, SharpOptions } from 'sharp';
import { findImageEnd } from './image-end.js';
import { ConversionError, type ConvertedFormat, DEFAULT_DENSITY } from './conversion/conversion.js';
import { convertOriginal } from './conversion/convert-original.js';
import { InvalidOriginalError, OriginalTooLargeError } from './original.errors.js';
import {
  type DecodedFormat,
  findConvertedFormat,
  findDecodedFormat,
  findUploadableType,
  type ImageType,
} from './image-type.js';
import { describeUndecodable } from './undecodable.js';

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
  checkSize(file);
  const converted = findConvertedFormat(file);
  if (converted !== null) return await inspectConverted(converted, file);
  const format = findDecodedFormat(file);
  if (format === null) {
    throw new InvalidOriginalError(
      'type',
      'The file must be a JPEG, PNG, WebP, AVIF, GIF, TIFF, SVG, BMP, ICO, HEIC, JPEG XL or PDF by its content.',
    );
  }
  const content = await cutAtEnd(format, file);
  const metadata = await readMetadata(content);
  await decodeShown(content, metadata);
  return {
    content,
    sha256: createHash('sha256').update(content).digest('hex'),
    format,
    width: metadata.width,
    height: frameHeight(metadata),
  };
}

/** Converts a file as a render would. @throws InvalidOriginalError (422) naming the limit. */
async function inspectConverted(format: ConvertedFormat, content: Buffer): Promise<InspectedOriginal> {
  const limits = { page: 0, density: DEFAULT_DENSITY, maxPixels: ORIGINAL_LIMITS.pixels };
  const signal = AbortSignal.timeout(ORIGINAL_LIMITS.seconds * 1_000);
  try {
    const {
      width,
      height,
      isPng,
      content: pixels,
    } = await convertOriginal({ format, content, ...limits }, signal);
    if (isPng) {
      const png = Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength);
      await decodeShown(png, await readMetadata(png));
    }
    const sha256 = createHash('sha256').update(content).digest('hex');
    return { content, sha256, format, width, height };
  } catch (error) {
    if (error === signal.reason) throw tooSlow();
    if (!(error instanceof ConversionError)) throw error;
    if (error.reason === 'pixels') throw new InvalidOriginalError('pixels', `${error.detail}.`);
    if (error.reason !== 'unsupported') throw broken();
    throw new InvalidOriginalError(
      'type',
      `The file cannot be decoded here: ${error.detail}. Save it differently.`,
    );
  }
}

/**
 * Checks a file for Cloudinary, which decodes it, by type and size alone.
 * @returns its type.
 * @throws InvalidOriginalError (422) naming the limit, OriginalTooLargeError (413).
 */
export function checkUploadable(file: Buffer): string {
  checkSize(file);
  const format = findUploadableType(file);
  if (format === null) {
    throw new InvalidOriginalError(
      'type',
      'By its content the file is not of a type that Cloudinary takes as an image.',
    );
  }
  return format;
}

function checkSize(file: Buffer): void {
  if (file.length === 0) throw new InvalidOriginalError('integrity', 'The file is empty.');
  if (file.length > ORIGINAL_LIMITS.bytes) throw new OriginalTooLargeError(ORIGINAL_LIMITS.bytes);
}

/**
 * Removes bytes behind the image: no viewer shows them, and they could be anything. A file whose structure does not
 * show an end is refused, even if a decoder would accept it. Markup inside of the image is accepted: images are served
 * with the type that their content has and `X-Content-Type-Options: nosniff`, so that no client runs it.
 * @throws InvalidOriginalError (422)
 */
async function cutAtEnd(format: DecodedFormat, file: Buffer): Promise<Buffer> {
  const end = await findImageEnd(format, file);
  if (end === null) {
    throw new InvalidOriginalError(
      'integrity',
      'The structure of the file does not show where its image ends: the file is truncated, damaged, or of a kind ' +
        'that records no length. Save the image again.',
    );
  }
  return file.subarray(0, end);
}

/** Of all frames of an animation, of one page otherwise. @throws InvalidOriginalError (422) */
async function readMetadata(content: Buffer): Promise<Metadata> {
  let metadata: Metadata | null;
  try {
    // The limit of pixels is checked later, where the refusal can name it.
    const image = await open(content, { limitInputPixels: false });
    metadata = await image.metadata();
  } catch {
    metadata = null;
  }
  const reason = describeUndecodable(content, metadata);
  if (reason !== undefined) {
    throw new InvalidOriginalError(
      'type',
      `The file cannot be decoded here: ${reason}. Save it differently.`,
    );
  }
  if (metadata === null) throw broken();
  return metadata;
}

/**
 * Decodes what is delivered by default, within the limits: every frame of an animation, the first page of a TIFF, the
 * primary image of an AVIF. Another page is decoded when it is requested.
 * @throws InvalidOriginalError (422) naming the limit.
 */
async function decodeShown(content: Buffer, metadata: Metadata): Promise<void> {
  const { pages = 1, format } = metadata;
  const frames = format === 'gif' || format === 'webp' ? pages : 1;
  if (frames > ORIGINAL_LIMITS.frames) {
    throw new InvalidOriginalError(
      'frames',
      `The image has ${frames} frames; ${ORIGINAL_LIMITS.frames} are allowed.`,
    );
  }
  const height = frameHeight(metadata);
  const pixels = metadata.width * height * frames;
  if (pixels > ORIGINAL_LIMITS.pixels) {
    throw new InvalidOriginalError(
      'pixels',
      `The image has ${pixels} pixels in all frames; ${ORIGINAL_LIMITS.pixels / 1e6} million are allowed.`,
    );
  }
  await decode(content, frames, height);
}

/** Decodes every row of every frame without storing all of them: the output is one pixel. */
async function decode(content: Buffer, frames: number, height: number): Promise<void> {
  try {
    const image = await open(content, {
      ...(frames > 1 ? { pages: frames } : {}),
      limitInputPixels: ORIGINAL_LIMITS.pixels,
      sequentialRead: true,
      // Not `warning`: cameras write files that decoders remark upon and show all the same.
      failOn: 'error',
    });
    await image
      .timeout({ seconds: ORIGINAL_LIMITS.seconds })
      .resize(1, height, { fit: 'fill', fastShrinkOnLoad: false })
      .raw()
      .toBuffer();
  } catch (error) {
    if (error instanceof Error && error.message.includes('timeout')) {
      throw tooSlow();
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

function tooSlow(): InvalidOriginalError {
  return new InvalidOriginalError(
    'time',
    `The image takes over ${ORIGINAL_LIMITS.seconds} seconds to decode.`,
  );
}
