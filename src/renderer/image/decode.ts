import sharp, { type Sharp, type SharpOptions } from 'sharp';
import type { Size } from './box.js';
import { LazyImage } from './lazy-image.js';
import { refuseTooLarge, type RenderLimits } from './limits.js';
import { RenderError } from './render.errors.js';
import { describeUndecodable } from './undecodable.js';

/** The header of an original. */
export interface OriginalInfo extends Size {
  /** libvips' name of the format: `jpeg`, `png`, `webp`, `gif`, `heif` (AVIF), `tiff`. */
  readonly format: string;
  /** Frames of an animation or pages of a document; 1 for a still. */
  readonly pageCount: number;
  readonly isAnimated: boolean;
  readonly hasAlpha: boolean;
  /** Whether its channels have 8 bits each. */
  readonly isBytes: boolean;
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
  const metadata = await open(body, limits)
    .metadata()
    .catch(() => null);
  const reason = describeUndecodable(body, metadata);
  if (reason !== undefined) throw new RenderError(400, `Unsupported image: ${reason}`);
  if (metadata === null) throw new RenderError(400, 'Invalid image file');
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
    isBytes: metadata.depth === 'uchar',
    density: metadata.density,
  };
}

/**
 * Opens an original. Its pixels are decoded later, to straight sRGB.
 * @throws {RenderError} 400 for a page that does not exist, or frames above the limit.
 */
export async function openOriginal(
  body: Buffer,
  info: OriginalInfo,
  decoding: Decoding,
  limits: RenderLimits,
): Promise<LazyImage> {
  const { page, orient } = decoding;
  const allFrames = decoding.allFrames && info.isAnimated;
  if (!allFrames && page >= info.pageCount) {
    throw new RenderError(400, `Page ${page + 1} does not exist: the image has ${info.pageCount}`);
  }
  const { delay = [], loop = 0 } = allFrames ? await open(body, limits, { pages: -1 }).metadata() : {};
  return LazyImage.ofSource(
    {
      open: () => {
        const pipeline = open(body, limits, allFrames ? { pages: -1 } : { page });
        return orient && !allFrames ? pipeline.autoOrient() : pipeline;
      },
      width: info.width,
      height: info.height,
      hasAlpha: info.hasAlpha,
      isBytes: info.isBytes,
      shrinksOnLoad: info.format === 'jpeg' || info.format === 'webp',
      frameCount: allFrames ? info.pageCount : 1,
      delays: allFrames ? delay : [],
      loop,
    },
    limits.pixels,
  );
}
