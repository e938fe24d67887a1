import sharp, { type Sharp } from 'sharp';
import type { Frame } from '../raster-image.js';

/** The nearest byte: rounded, within 0 to 255. */
export const toByte = (value: number): number => (value <= 0 ? 0 : value >= 255 ? 255 : Math.round(value));

/** Rec. 709 luma of sRGB bytes, 0 to 255: ImageMagick's gray. */
export const luma = (red: number, green: number, blue: number): number =>
  0.2126 * red + 0.7152 * green + 0.0722 * blue;

/** A frame with its colours changed by one table of 256 bytes per channel; alpha stays. */
export function mapChannels(
  frame: Frame,
  reds: Uint8Array,
  greens: Uint8Array = reds,
  blues: Uint8Array = reds,
): Frame {
  const source = frame.pixels;
  const pixels = Buffer.allocUnsafe(source.length);
  for (let at = 0; at < source.length; at += 4) {
    pixels[at] = reds[source[at] ?? 0] ?? 0;
    pixels[at + 1] = greens[source[at + 1] ?? 0] ?? 0;
    pixels[at + 2] = blues[source[at + 2] ?? 0] ?? 0;
    pixels[at + 3] = source[at + 3] ?? 0;
  }
  return { ...frame, pixels };
}

/** A table for `mapChannels`. */
export const table = (map: (value: number) => number): Uint8Array =>
  Uint8Array.from({ length: 256 }, (_, value) => toByte(map(value)));

/**
 * A frame with each pixel's colour changed; alpha stays.
 * @param map Writes red, green and blue to `out`, any numbers. A shared array, because an object per pixel would cost
 *   more than the arithmetic.
 */
export function mapPixels(
  frame: Frame,
  map: (red: number, green: number, blue: number, out: Float64Array) => void,
): Frame {
  const source = frame.pixels;
  const pixels = Buffer.allocUnsafe(source.length);
  const out = new Float64Array(3);
  for (let at = 0; at < source.length; at += 4) {
    map(source[at] ?? 0, source[at + 1] ?? 0, source[at + 2] ?? 0, out);
    pixels[at] = toByte(out[0] ?? 0);
    pixels[at + 1] = toByte(out[1] ?? 0);
    pixels[at + 2] = toByte(out[2] ?? 0);
    pixels[at + 3] = source[at + 3] ?? 0;
  }
  return { ...frame, pixels };
}

/** A frame with each pixel's alpha changed; colours stay. */
export function mapAlpha(
  frame: Frame,
  map: (alpha: number, red: number, green: number, blue: number) => number,
): Frame {
  const pixels = Buffer.from(frame.pixels);
  for (let at = 0; at < pixels.length; at += 4) {
    const alpha = map(pixels[at + 3] ?? 0, pixels[at] ?? 0, pixels[at + 1] ?? 0, pixels[at + 2] ?? 0);
    pixels[at + 3] = toByte(alpha);
  }
  return { ...frame, pixels };
}

/** Adds an operation of libvips to a pipeline; keeps the image's size. */
export type Filter = (pipeline: Sharp) => Sharp;

/** A frame as input of sharp. */
export const toSharp = ({ width, height, pixels }: Frame): Sharp =>
  sharp(pixels, { raw: { width, height, channels: 4 } });

/** The output of a sharp pipeline as a frame. */
export async function fromSharp(pipeline: Sharp): Promise<Frame> {
  const { data, info } = await pipeline.ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, pixels: data };
}

/** libvips' bounds of a Gaussian. */
const [SMALLEST_SIGMA, LARGEST_SIGMA] = [0.3, 1000];

/**
 * A Gaussian blur of colour and alpha; colours are weighted by alpha, so that transparent pixels do not bleed.
 * @param sigma In pixels; below 0.3 nothing changes.
 */
export const softened = (pipeline: Sharp, sigma: number): Sharp =>
  sigma < SMALLEST_SIGMA ? pipeline : pipeline.blur({ sigma: Math.min(sigma, LARGEST_SIGMA) });

/** As `softened`, for a frame. */
export async function blurred(frame: Frame, sigma: number): Promise<Frame> {
  return sigma < SMALLEST_SIGMA ? frame : fromSharp(softened(toSharp(frame), sigma));
}

/** One byte per pixel: a frame's alpha. */
export function alphaOf({ pixels }: Frame): Uint8Array {
  const alpha = new Uint8Array(pixels.length / 4);
  for (let at = 0; at < alpha.length; at += 1) alpha[at] = pixels[at * 4 + 3] ?? 0;
  return alpha;
}

/** A transparent frame of the given size, with another one placed at (left, top). */
export function enlarged(frame: Frame, width: number, height: number, left: number, top: number): Frame {
  const pixels = Buffer.alloc(width * height * 4);
  for (let row = 0; row < frame.height; row += 1) {
    const from = row * frame.width * 4;
    frame.pixels.copy(pixels, ((row + top) * width + left) * 4, from, from + frame.width * 4);
  }
  return { width, height, pixels };
}
