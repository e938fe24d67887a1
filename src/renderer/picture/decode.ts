import sharp, { type Metadata, type Sharp, type SharpOptions } from 'sharp';
import type { Size } from './box.js';
import { refuseTooLarge, type RenderLimits } from './limits.js';
import type { Frame, Picture } from './picture.js';
import { RenderError } from './render.errors.js';

/** What the header of an original says. */
export interface OriginalInfo extends Size {
  /** libvips' name of the format: `jpeg`, `png`, `webp`, `gif`, `heif` (AVIF), `tiff`. */
  readonly format: string;
  /** Frames of an animation or pages of a document; 1 for a still. */
  readonly pageCount: number;
  readonly isAnimated: boolean;
  readonly hasAlpha: boolean;
  /** Dots per inch, where it says so. */
  readonly density: number | undefined;
}

/** How an original is decoded. */
export interface Decoding {
  /** 0-based; ignored where all frames are asked for. */
  readonly page: number;
  readonly allFrames: boolean;
  /** Whether the camera's note on how it was held is heeded. */
  readonly orient: boolean;
  /** Scale while decoding: a JPEG then need not be unpacked at its full size. */
  readonly resize: Size | undefined;
}

/** By content, never by name. SVG is not among them: it can reach files and does not end. */
const DECODABLE = new Set(['jpeg', 'png', 'webp', 'gif', 'heif', 'tiff']);

const open = (body: Buffer, limits: RenderLimits, options: SharpOptions = {}): Sharp =>
  // `sequentialRead` keeps a window of rows in memory; a file that ends too early is no picture.
  sharp(body, { limitInputPixels: limits.inputPixels, failOn: 'error', sequentialRead: true, ...options });

/**
 * Reads the header of an original.
 * @param orient Whether width and height are those after the camera's orientation.
 * @throws {RenderError} 400 for what is no picture of a known format, or a larger one than the limit.
 */
export async function inspect(body: Buffer, orient: boolean, limits: RenderLimits): Promise<OriginalInfo> {
  let metadata: Metadata;
  try {
    metadata = await open(body, limits).metadata();
  } catch {
    throw new RenderError(400, 'Invalid image file');
  }
  const { format, pages = 1, orientation = 1 } = metadata;
  if (!DECODABLE.has(format)) throw new RenderError(400, `Unsupported image format ${format}`);
  const isAnimated = pages > 1 && (format === 'gif' || format === 'webp');
  const height = metadata.pageHeight ?? metadata.height;
  const isTurned = orient && orientation > 4 && !isAnimated;
  refuseTooLarge(metadata.width, height, isAnimated ? pages : 1, limits.inputPixels);
  return {
    format,
    width: isTurned ? height : metadata.width,
    height: isTurned ? metadata.width : height,
    pageCount: pages,
    isAnimated,
    hasAlpha: metadata.hasAlpha,
    density: metadata.density,
  };
}

/**
 * Unpacks an original to frames of straight sRGB with alpha.
 * @throws {RenderError} 400 for a corrupt file, a page that is not there, or frames above the ceiling.
 */
export async function decode(
  body: Buffer,
  info: OriginalInfo,
  decoding: Decoding,
  limits: RenderLimits,
): Promise<Picture> {
  const { page, resize } = decoding;
  const allFrames = decoding.allFrames && info.isAnimated;
  if (!allFrames && page >= info.pageCount) {
    throw new RenderError(400, `Page ${page + 1} does not exist: the image has ${info.pageCount}`);
  }
  const size = resize ?? info;
  refuseTooLarge(size.width, size.height, allFrames ? info.pageCount : 1, limits.pixels);
  let pipeline = open(body, limits, allFrames ? { pages: -1 } : { page });
  if (decoding.orient && !allFrames) pipeline = pipeline.autoOrient();
  if (resize) pipeline = pipeline.resize(resize.width, resize.height, { fit: 'fill' });
  const pixels = pipeline.toColourspace('srgb').ensureAlpha().raw({ depth: 'uchar' });
  const { data, info: result } = await pixels.toBuffer({ resolveWithObject: true }).catch(() => {
    throw new RenderError(400, 'Invalid image file');
  });
  const { delay = [], loop = 0 } = allFrames ? await open(body, limits, { pages: -1 }).metadata() : {};
  return {
    frames: framesOf(data, result.width, allFrames ? result.height / info.pageCount : result.height),
    delays: allFrames ? delay : [],
    loop,
  };
}

function framesOf(data: Buffer, width: number, height: number): [Frame, ...Frame[]] {
  const length = width * height * 4;
  const frame = (at: number): Frame => ({ width, height, pixels: data.subarray(at, at + length) });
  const frames: [Frame, ...Frame[]] = [frame(0)];
  for (let at = length; at < data.length; at += length) frames.push(frame(at));
  return frames;
}
