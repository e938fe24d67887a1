import sharp, { type Sharp } from 'sharp';
import { parseChain } from '../chain/chain.parser.js';
import type { Approximations } from './approximations.js';
import { flatten } from './background.js';
import type { OriginalInfo } from './decode.js';
import type { Delivery } from './delivery.js';
import { withMetadataOf } from './jpeg-metadata.js';
import type { LazyImage } from './lazy-image.js';
import type { RasterImage } from './raster-image.js';
import { readQuality, type Quality } from './quality.js';
import { RenderError } from './render.errors.js';

/** A format of delivered images. */
export type OutputFormat = 'jpg' | 'png' | 'webp' | 'avif' | 'gif' | 'tiff' | 'jxl';

const CONTENT_TYPES = {
  jpg: 'image/jpeg',
  png: 'image/png',
  webp: 'image/webp',
  avif: 'image/avif',
  gif: 'image/gif',
  tiff: 'image/tiff',
  jxl: 'image/jxl',
} as const satisfies Record<OutputFormat, string>;

const SPELLINGS: ReadonlyMap<string, OutputFormat> = new Map<string, OutputFormat>([
  ['jpg', 'jpg'],
  ['jpeg', 'jpg'],
  ['jpe', 'jpg'],
  ['png', 'png'],
  ['webp', 'webp'],
  ['avif', 'avif'],
  ['gif', 'gif'],
  ['tif', 'tiff'],
  ['tiff', 'tiff'],
  // Not in every build of libvips.
  ...(sharp.format.jxl.output.buffer ? [['jxl', 'jxl'] as const] : []),
]);

/** libvips' names of the originals' formats. */
const BY_DECODER: ReadonlyMap<string, OutputFormat> = new Map<string, OutputFormat>([
  ...SPELLINGS,
  ['heif', 'avif'],
]);

const NEGOTIATED = ['avif', 'webp'] as const;
const WHITE = { kind: 'paint', paint: { red: 255, green: 255, blue: 255, alpha: 255 } } as const;

/**
 * The format that `f_auto` selects for a client; null if the chain leaves no choice.
 * @throws {RenderError} 400 as the parser does.
 */
export function negotiate(
  chain: readonly string[],
  accept: string | undefined,
): readonly (typeof NEGOTIATED)[number][] | null {
  const format = parseChain(chain)
    .findLast(({ values }) => values.has('f'))
    ?.values.get('f');
  return format !== undefined && isAutomatic(format) ? acceptedFormats(accept) : null;
}

/** Whether `f_` leaves the format to the client. */
export const isAutomatic = (format: string | undefined): boolean =>
  format !== undefined && /^auto(?:$|:)/.test(format);

/** By name only: a client that accepts anything (`image/*`) may not support AVIF. */
function acceptedFormats(accept = ''): readonly (typeof NEGOTIATED)[number][] {
  const types = accept
    .toLowerCase()
    .split(',')
    .filter((type) => !/;\s*q=0(?:\.0*)?\s*(?:;|$)/.test(type))
    .map((type) => type.split(';', 1)[0]?.trim());
  return NEGOTIATED.filter((format) => types.includes(CONTENT_TYPES[format]));
}

/** The target format, as far as it is known before the pixels. */
export interface Target {
  /** Undefined if transparency decides: `f_auto` for a client without WebP. */
  readonly format: OutputFormat | undefined;
  /** Whether all frames are encoded. */
  readonly animated: boolean;
}

/**
 * Selects the format, and whether an animation stays one: always in GIF; in WebP with `fl_awebp` or `fl_animated`, or
 * if the original or `f_auto` would otherwise lose it.
 * @param extension The URL's, in lower case; empty for the original's format.
 * @throws {RenderError} 400 for a format that is not supported.
 */
export function chooseTarget(
  { format: requested, flags, page }: Delivery,
  extension: string,
  accept: string | undefined,
  original: Pick<OriginalInfo, 'format' | 'isAnimated'>,
): Target {
  const mayMove = original.isAnimated && page === undefined && requested !== 'auto:image';
  if (isAutomatic(requested)) {
    const accepted = acceptedFormats(accept);
    const keepsMoving =
      mayMove &&
      (requested === 'auto:animated' || flags.has('animated') || flags.has('awebp') || extension === 'gif');
    if (keepsMoving) return { format: accepted.includes('webp') ? 'webp' : 'gif', animated: true };
    return { format: accepted[0], animated: false };
  }
  // No encoder writes these formats; transparency decides between JPEG and PNG.
  if (requested === undefined && extension === '' && !BY_DECODER.has(original.format)) {
    return { format: undefined, animated: false };
  }
  const format =
    requested !== undefined
      ? SPELLINGS.get(requested)
      : extension === ''
        ? BY_DECODER.get(original.format)
        : SPELLINGS.get(extension);
  if (format === undefined) {
    throw new RenderError(
      400,
      requested !== undefined
        ? `Invalid value ${requested} for parameter f: this format is not supported`
        : `Invalid extension in transformation: ${extension}`,
    );
  }
  const keepsMoving =
    format === 'gif' ||
    (format === 'webp' && (original.format === 'webp' || flags.has('awebp') || flags.has('animated')));
  return { format, animated: mayMove && keepsMoving };
}

/** An encoded file with its format. */
export interface Encoded {
  readonly body: Buffer;
  readonly format: OutputFormat;
}

/**
 * Encodes an image. Transparent areas become white in a format without transparency.
 * @param density Dots per inch, for the file's header.
 * @param original The stored file, whose metadata `fl_keep_iptc` keeps.
 * @throws {RenderError} 400 for metadata that this format cannot keep, or a side longer than its limit.
 */
export async function encode(
  image: LazyImage,
  target: Target,
  delivery: Delivery,
  density: number | undefined,
  original: Buffer,
): Promise<Encoded> {
  const { flags } = delivery;
  const raster = image.mayBeTransparent || image.frameCount > 1 ? await image.raster() : undefined;
  const isTransparent = raster?.frames.some(({ pixels }) => hasTransparency(pixels)) ?? false;
  let format = target.format ?? (isTransparent ? 'png' : 'jpg');
  if (format === 'jpg' && isTransparent && flags.has('preserve_transparency')) format = 'png';
  // As Cloudinary does with an opaque PNG (transformation_reference#fl_lossy).
  if (format === 'png' && !isTransparent && flags.has('lossy')) format = 'jpg';
  const { width, height } = image.size;
  if (Math.max(width, height) > LONGEST_SIDES[format]) {
    throw new RenderError(400, `${format} has sides of at most ${LONGEST_SIDES[format]} pixels`);
  }
  const withoutAlpha = !isTransparent || format === 'jpg' || (format === 'png' && flags.has('png24'));
  const piped = raster ? null : await image.encodable();
  let pipeline = piped ?? pipelineOf(raster ?? (await image.raster()), isTransparent && withoutAlpha);
  if (format === 'png' && flags.has('png32')) pipeline = pipeline.ensureAlpha();
  else if (withoutAlpha) pipeline = pipeline.removeAlpha();
  if (density !== undefined) pipeline = pipeline.withMetadata({ density });
  if (flags.has('force_icc')) pipeline = pipeline.withIccProfile('srgb');
  const timing =
    raster && raster.frames.length > 1 ? { delay: delaysOf(raster, delivery), loop: raster.loop } : {};
  const writer = WRITERS[format](pipeline, readQuality(delivery.quality), flags, timing);
  const body = await writer.toBuffer().catch((error: unknown) => {
    // The pipeline begins with the decoder of the original.
    throw piped ? new RenderError(400, 'Invalid image file') : error;
  });
  return { body: flags.has('keep_iptc') ? withMetadata(body, format, original) : body, format };
}

/** Milliseconds by frame. */
function delaysOf({ frames, delays }: RasterImage, { delay, delays: limits }: Delivery): number[] {
  return frames.map((_, index) => {
    const own = delay ?? delays[index] ?? 0;
    return limits ? Math.min(limits.most, Math.max(limits.least, own)) : own;
  });
}

/** @param isFlat Whether transparent areas become white. */
function pipelineOf({ frames }: RasterImage, isFlat: boolean): Sharp {
  const [{ width, height }] = frames;
  const pixels = (isFlat ? frames.map((frame) => flatten(frame, WHITE)) : frames).map(
    (frame) => frame.pixels,
  );
  const isAnimated = frames.length > 1;
  const raw = { width, height: height * frames.length, channels: 4 as const };
  return sharp(isAnimated ? Buffer.concat(pixels) : (pixels[0] ?? Buffer.alloc(0)), {
    raw: isAnimated ? { ...raw, pageHeight: height } : raw,
    limitInputPixels: false,
  });
}

/**
 * Notes how a delivered file differs from Cloudinary's.
 * @param original The original's format: a PDF has been drawn at the density.
 */
export function noteDelivery(
  { format: requested, quality, flags, density, delays }: Delivery,
  original: string,
  format: OutputFormat,
  notes: Approximations,
): void {
  const isPalette = format === 'png' && (flags.has('png8') || flags.has('lossy'));
  if (isAutomatic(requested)) notes.add(`f_${requested ?? ''}: by Accept and transparency`);
  if (readQuality(quality).isAutomatic) notes.add(`q_${quality ?? ''}: a fixed quality`);
  if (format === 'avif') notes.add('q: three quarters of the number for AVIF');
  if (isPalette) notes.add(`fl_${flags.has('png8') ? 'png8' : 'lossy'}: a palette of libimagequant`);
  if (format === 'gif' && flags.has('lossy')) notes.add('fl_lossy: between frames only');
  if (density !== undefined && original !== 'pdf') notes.add('dn: in the header of the file only');
  if (delays !== undefined) notes.add('fps: by the delays, without other frames');
}

function withMetadata(body: Buffer, format: OutputFormat, original: Buffer): Buffer {
  if (format !== 'jpg')
    throw new RenderError(400, `Flag keep_iptc is not supported for ${format}, only for jpg`);
  return withMetadataOf(body, original);
}

/** The format of an original, as delivered images name it; undefined for one that is not delivered. */
export const formatOf = ({ format }: Pick<OriginalInfo, 'format'>): OutputFormat | undefined =>
  BY_DECODER.get(format);

/** Whether a stored file is in the format already. */
export const isIn = (target: Target, original: Pick<OriginalInfo, 'format'>): boolean =>
  target.format !== undefined && formatOf(original) === target.format;

/** The content type of a format. */
export const contentTypeOf = (format: OutputFormat): string => CONTENT_TYPES[format];

type Writer = (
  pipeline: Sharp,
  quality: Quality,
  flags: ReadonlyMap<string, string>,
  timing: { readonly delay?: number[]; readonly loop?: number },
) => Sharp;

/** Effort of the AV1 encoder, 0 to 9: at 4, its default, an image of two megapixels takes seconds. */
const AVIF_EFFORT = 2;

/** Effort of the WebP encoder, 0 to 6: its default, 4, takes 40 % longer for a file that is 5 % smaller. */
const WEBP_EFFORT = 2;

/** Maximum pixels of a side by format (libvips): sharp throws a plain error beyond them. */
const LONGEST_SIDES: Readonly<Record<OutputFormat, number>> = {
  jpg: 65_535,
  png: Infinity,
  webp: 16_383,
  avif: 16_384,
  gif: 65_535,
  tiff: Infinity,
  jxl: Infinity,
};

const WRITERS = {
  jpg: (pipeline, { level, chroma, isAutomatic: isProgressive }, flags) => {
    // Cloudinary's automatic quality includes progressive scans (transformation_reference#q_auto).
    const progressive = flags.get('progressive') ?? (isProgressive ? '' : undefined);
    return pipeline.jpeg({
      quality: level,
      chromaSubsampling: chroma === '444' ? '4:4:4' : '4:2:0',
      progressive: progressive !== undefined && progressive !== 'none',
    });
  },
  png: (pipeline, { level }, flags) => {
    const isLossy = flags.has('png8') || flags.has('lossy');
    return pipeline.png({
      progressive: flags.has('progressive'),
      ...(isLossy ? { palette: true, quality: level, effort: 5 } : { compressionLevel: 6 }),
    });
  },
  webp: (pipeline, { level }, _, timing) => pipeline.webp({ quality: level, effort: WEBP_EFFORT, ...timing }),
  avif: (pipeline, { level, chroma }) =>
    pipeline.avif({
      // AV1's scale differs from JPEG's: its 60 looks like JPEG's 80.
      quality: Math.max(1, Math.round(level * 0.75)),
      chromaSubsampling: chroma === '444' ? '4:4:4' : '4:2:0',
      effort: AVIF_EFFORT,
    }),
  gif: (pipeline, { level }, flags, timing) =>
    pipeline.gif({
      ...timing,
      // At most 32: the difference up to which a pixel is not written again in the next frame.
      ...(flags.has('lossy') ? { interFrameMaxError: Math.round(((100 - level) / 100) * 32) } : {}),
    }),
  tiff: (pipeline, _, flags) =>
    flags.has('group4')
      ? pipeline.toColourspace('b-w').tiff({ compression: 'ccittfax4', bitdepth: 1 })
      : pipeline.tiff({ compression: 'lzw' }),
  jxl: (pipeline, { level }) => pipeline.jxl({ quality: level }),
} as const satisfies Record<OutputFormat, Writer>;

function hasTransparency(pixels: Buffer): boolean {
  for (let at = 3; at < pixels.length; at += 4) if (pixels[at] !== 255) return true;
  return false;
}
