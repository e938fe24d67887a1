import sharp, { type Metadata, type Sharp, type SharpOptions } from 'sharp';
import type { Size } from './box.js';
import { refuseTooLarge, type RenderLimits } from './limits.js';
import type { Frame, RasterImage } from './raster-image.js';
import { RenderError } from './render.errors.js';

/** The header of an original. */
export interface OriginalInfo extends Size {
  /** libvips' name of the format: `jpeg`, `png`, `webp`, `gif`, `heif` (AVIF), `tiff`. */
  readonly format: string;
  /** Frames of an animation or pages of a document; 1 for a still. */
  readonly pageCount: number;
  readonly isAnimated: boolean;
  readonly hasAlpha: boolean;
  /** Dots per inch, if given. */
  readonly density: number | undefined;
}

/** How an original is decoded. */
export interface Decoding {
  /** 0-based; ignored if all frames are decoded. */
  readonly page: number;
  readonly allFrames: boolean;
  /** Whether the camera's orientation is applied. */
  readonly orient: boolean;
  /** Scale while decoding: a JPEG then need not be decoded at its full size. */
  readonly resize: Size | undefined;
}

/** By content, never by name. SVG is excluded: it can refer to files and is not bounded. */
const DECODABLE = new Set(['jpeg', 'png', 'webp', 'gif', 'heif', 'tiff']);

const open = (body: Buffer, limits: RenderLimits, options: SharpOptions = {}): Sharp =>
  // `sequentialRead` keeps a window of rows in memory; a truncated file is refused.
  sharp(body, { limitInputPixels: limits.inputPixels, failOn: 'error', sequentialRead: true, ...options });

/**
 * Reads the header of an original.
 * @param orient Whether width and height are those after the camera's orientation.
 * @throws {RenderError} 400 for an unknown format, or an image above the limit.
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
 * Decodes an original to frames of straight sRGB with alpha.
 * @throws {RenderError} 400 for a corrupt file, a page that does not exist, or frames above the limit.
 */
export async function decode(
  body: Buffer,
  info: OriginalInfo,
  decoding: Decoding,
  limits: RenderLimits,
): Promise<RasterImage> {
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
