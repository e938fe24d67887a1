import sharp, { type Metadata, type Sharp, type SharpOptions } from 'sharp';
import { describeUndecodable } from '../../originals/undecodable.js';
import {
  ConversionError,
  type ConvertedFormat,
  DEFAULT_DENSITY,
} from '../../originals/conversion/conversion.js';
import { convertOriginal } from '../../originals/conversion/convert-original.js';
import { findConvertedFormat } from '../../originals/image-type.js';
import type { Size } from './box.js';
import { LazyImage } from './lazy-image.js';
import { refuseTooLarge, type RenderLimits } from './limits.js';
import { RenderError } from './render.errors.js';

/** The header of an original. */
export interface OriginalInfo extends Size {
  /** libvips' name of the format: `jpeg`, `png`, `webp`, `gif`, `heif` (AVIF), `tiff`; a `ConvertedFormat`. */
  readonly format: string;
  /** Frames of an animation or pages of a document; 1 for a still. */
  readonly pageCount: number;
  /** The described page or frame, 0-based. */
  readonly page: number;
  readonly isAnimated: boolean;
  readonly hasAlpha: boolean;
  /** Whether its channels have 8 bits each. */
  readonly isBytes: boolean;
  /** Dots per inch, if given. */
  readonly density: number | undefined;
  /** How a rendered image differs from the original beside its transformations; for `Approximations`. */
  readonly approximation: string | undefined;
  /** What libvips reads: the file, or what it was converted to. */
  readonly source: DecoderSource;
}

/** A file, or pixels. */
interface DecoderSource {
  readonly content: Buffer;
  readonly raw?: NonNullable<SharpOptions['raw']>;
}

/** What is read of an original. */
export interface Selection {
  /** 0-based. The pages of a TIFF can differ in everything. */
  readonly page: number;
  /** Whether the camera's orientation is applied. */
  readonly orient: boolean;
  /** Dots per inch of a PDF's page. */
  readonly density: number | undefined;
}

/** By content, never by name. SVG is not among them: libvips cannot be interrupted while it draws. */
const DECODABLE = new Set(['jpeg', 'png', 'webp', 'gif', 'heif', 'tiff']);

const open = ({ content, ...raw }: DecoderSource, limits: RenderLimits, options: SharpOptions = {}): Sharp =>
  // `sequentialRead` keeps a window of rows in memory; a truncated file is refused.
  sharp(content, {
    ...raw,
    limitInputPixels: limits.inputPixels,
    failOn: 'error',
    sequentialRead: true,
    ...options,
  });

/**
 * Reads the header of an original.
 * @param selection With `orient`, width and height are those after the camera's orientation.
 * @throws {RenderError} 400 for an unknown format, a page that does not exist, or an image above the limit.
 */
export async function inspect(
  body: Buffer,
  selection: Selection,
  limits: RenderLimits,
): Promise<OriginalInfo> {
  const { page, orient } = selection;
  const convertedFormat = findConvertedFormat(body);
  if (convertedFormat !== null) return await inspectConverted(convertedFormat, body, selection, limits);
  const first = await readMetadata(body, 0, limits);
  if (!DECODABLE.has(first.format)) throw new RenderError(400, `Unsupported image format ${first.format}`);
  // The images of an AVIF are its parts, such as the tiles of a grid: only the primary one is a page.
  const pageCount = first.format === 'heif' ? 1 : (first.pages ?? 1);
  if (page >= pageCount) {
    throw new RenderError(400, `Page ${page + 1} does not exist: the image has ${pageCount}`);
  }
  const metadata = page === 0 ? first : await readMetadata(body, page, limits);
  const { format, orientation = 1 } = metadata;
  const isAnimated = pageCount > 1 && (format === 'gif' || format === 'webp');
  const height = metadata.pageHeight ?? metadata.height;
  const isTurned = orient && orientation > 4 && !isAnimated;
  refuseTooLarge(metadata.width, height, isAnimated ? pageCount : 1, limits.inputPixels);
  return {
    format,
    width: isTurned ? height : metadata.width,
    height: isTurned ? metadata.width : height,
    pageCount,
    page,
    isAnimated,
    hasAlpha: metadata.hasAlpha,
    isBytes: metadata.depth === 'uchar',
    density: metadata.density,
    approximation: isAnimatedPng(body) ? 'animated PNG: its first frame' : undefined,
    source: { content: body },
  };
}

/** @throws {RenderError} 400 for a file that cannot be converted, a missing page, or an image above the limit. */
async function inspectConverted(
  format: ConvertedFormat,
  body: Buffer,
  { page, density = DEFAULT_DENSITY }: Selection,
  limits: RenderLimits,
): Promise<OriginalInfo> {
  if (page > 0 && format !== 'pdf')
    throw new RenderError(400, `Page ${page + 1} does not exist: the image has 1`);
  const task = { format, content: body, page, density, maxPixels: limits.convertedPixels };
  const { width, height, pageCount, approximation, isPng, content } = await convertOriginal(task).catch(
    (error: unknown) => {
      throw error instanceof ConversionError ? conversionRefusal(error) : error;
    },
  );
  const source = {
    content: Buffer.from(content.buffer, content.byteOffset, content.byteLength),
    ...(isPng ? {} : { raw: { width, height, channels: 4 as const } }),
  };
  const { depth, hasAlpha } = await open(source, limits)
    .metadata()
    .catch(() => {
      throw new RenderError(400, 'Invalid image file');
    });
  return {
    ...{ format, width, height, pageCount, page, hasAlpha, approximation, source },
    isAnimated: false,
    isBytes: depth === 'uchar',
    density: undefined,
  };
}

function conversionRefusal({ reason, detail }: ConversionError): RenderError {
  if (reason === 'damaged') return new RenderError(400, 'Invalid image file');
  return new RenderError(400, reason === 'unsupported' ? `Unsupported image: ${detail}` : detail);
}

/** Whether a chunk `acTL` precedes the pixels (PNG, third edition, §11.3.6.1). */
function isAnimatedPng(body: Buffer): boolean {
  if (body.toString('latin1', 1, 4) !== 'PNG') return false;
  for (let at = 8; at + 8 <= body.length; at += 12 + body.readUInt32BE(at)) {
    const type = body.toString('latin1', at + 4, at + 8);
    if (type === 'acTL' || type === 'IDAT') return type === 'acTL';
  }
  return false;
}

/** Of first pages, while their content is in memory. */
const headers = new WeakMap<Buffer, Metadata>();

/** @throws {RenderError} 400 if libvips cannot read the page, or would read it wrongly. */
async function readMetadata(body: Buffer, page: number, limits: RenderLimits): Promise<Metadata> {
  const known = page === 0 ? headers.get(body) : undefined;
  if (known) return known;
  const metadata = await open({ content: body }, limits, pageOption(page))
    .metadata()
    .catch(() => null);
  const reason = describeUndecodable(body, metadata, page);
  if (reason !== undefined) throw new RenderError(400, `Unsupported image: ${reason}`);
  if (metadata === null) throw new RenderError(400, 'Invalid image file');
  if (page === 0) headers.set(body, metadata);
  return metadata;
}

/** Without a page libvips reads the primary image of an AVIF, which need not be the first. */
const pageOption = (page: number): SharpOptions => (page === 0 ? {} : { page });

/** Opens an original. Its pixels are decoded later, to straight sRGB. */
export async function openOriginal(
  info: OriginalInfo,
  decoding: { readonly allFrames: boolean; readonly orient: boolean },
  limits: RenderLimits,
): Promise<LazyImage> {
  const { orient } = decoding;
  const allFrames = decoding.allFrames && info.isAnimated;
  const { delay = [], loop = 0 } = allFrames ? await open(info.source, limits, { pages: -1 }).metadata() : {};
  return LazyImage.ofSource(
    {
      open: () => {
        const pipeline = open(
          info.source,
          limits,
          allFrames ? { pages: -1 } : info.source.raw ? {} : pageOption(info.page),
        );
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
