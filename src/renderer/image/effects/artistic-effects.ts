import type { Frame } from '../raster-image.js';
import { resize } from '../reshape.js';
import { type FrameEffect, level } from './effect-context.js';
import { fromSharp, luma, table, toByte, toSharp } from './pixels.js';

/** Effects that redraw an image as if by hand. */

/** One byte of luma per pixel, blurred. */
const softLuma = (frame: Frame, sigma: number): Promise<Buffer> =>
  toSharp(frame).removeAlpha().greyscale().blur({ sigma }).toColourspace('b-w').raw().toBuffer();

/** Shades without and with the strongest reduction of colours. */
const [MOST_SHADES, FEWEST_SHADES] = [16, 2];
/** Luma by which a pixel must be darker than its surroundings to be a line, at a strength of 1 and of 100. */
const [FAINTEST, STRONGEST] = [24, 1];

/**
 * `cartoonify[:<line strength>][:<color reduction>|:bw]`: even areas of few shades, with dark lines where a pixel is
 * darker than its surroundings.
 */
export const cartoonify: FrameEffect = async (frame, args) => {
  const strength = level(args, 50);
  const isPlain = args.includes('bw');
  const reduction = isPlain ? 100 : Number(args[1] ?? 50);
  const steps = Math.round(MOST_SHADES + ((FEWEST_SHADES - MOST_SHADES) * reduction) / 100) - 1;
  const shades = table((value) => (Math.round((value / 255) * steps) * 255) / steps);
  const threshold = FAINTEST + ((STRONGEST - FAINTEST) * strength) / 100;
  // libvips has no median of an image smaller than its window.
  const isSmall = Math.min(frame.width, frame.height) < 3;
  const smooth = isSmall
    ? { ...frame, pixels: Buffer.from(frame.pixels) }
    : await fromSharp(toSharp(frame).median(3));
  const [near, far] = [await softLuma(frame, 0.8), await softLuma(frame, 2.4)];
  const { pixels } = smooth;
  for (let at = 0, place = 0; at < pixels.length; at += 4, place += 1) {
    const isLine = strength > 0 && (far[place] ?? 0) - (near[place] ?? 0) > threshold;
    const [red = 0, green = 0, blue = 0] = [pixels[at], pixels[at + 1], pixels[at + 2]];
    const gray = luma(red, green, blue);
    const shade = isLine ? 0 : (shades[toByte(gray)] ?? 0);
    // All channels by the same factor, which keeps the hue.
    const factor = shade / Math.max(1, gray);
    pixels[at] = isPlain ? shade : toByte(red * factor);
    pixels[at + 1] = isPlain ? shade : toByte(green * factor);
    pixels[at + 2] = isPlain ? shade : toByte(blue * factor);
    // A median of alpha would round the shape.
    pixels[at + 3] = frame.pixels[at + 3] ?? 0;
  }
  return smooth;
};

/** Pixels of the largest frame that is painted; a larger one is painted smaller, with strokes to match. */
const LARGEST_CANVAS = 4_000_000;
/** Radius of a stroke by the level, of the shorter side. */
const [THINNEST, THICKEST] = [0.002, 0.02];

/**
 * Means of a channel over squares of `2 * radius + 1`; the edge is repeated. Sums move along rows, then columns, so the
 * time does not depend on the radius.
 */
function boxMeans(values: Float32Array, width: number, height: number, radius: number): Float32Array {
  const means = new Float32Array(values.length);
  const size = 2 * radius + 1;
  const pass = (from: Float32Array, to: Float32Array, start: number, step: number, length: number): void => {
    const value = (at: number): number => from[start + Math.min(length - 1, Math.max(0, at)) * step] ?? 0;
    let sum = 0;
    for (let at = -radius; at <= radius; at += 1) sum += value(at);
    for (let at = 0; at < length; at += 1) {
      to[start + at * step] = sum / size;
      sum += value(at + radius + 1) - value(at - radius);
    }
  };
  const rows = new Float32Array(values.length);
  for (let y = 0; y < height; y += 1) pass(values, rows, y * width, 1, width);
  for (let x = 0; x < width; x += 1) pass(rows, means, x, width, height);
  return means;
}

/** `oil_paint[:<0 to 100>]`: each pixel is the mean of the most even square beside it (Kuwahara's filter). */
export const oilPaint: FrameEffect = async (frame, args) => {
  const share = Math.min(1, Math.sqrt(LARGEST_CANVAS / (frame.width * frame.height)));
  const size = {
    width: Math.max(1, Math.round(frame.width * share)),
    height: Math.max(1, Math.round(frame.height * share)),
  };
  const small = await resize(frame, size);
  const { width, height, pixels } = small;
  const thickness = THINNEST + ((THICKEST - THINNEST) * level(args, 30)) / 100;
  const radius = Math.max(1, Math.round((thickness * Math.min(width, height)) / 2));
  const channel = (map: (at: number) => number): Float32Array =>
    boxMeans(
      Float32Array.from({ length: width * height }, (_, place) => map(place * 4)),
      width,
      height,
      radius,
    );
  const [reds, greens, blues] = [0, 1, 2].map((index) => channel((at) => pixels[at + index] ?? 0));
  const lumaAt = (at: number): number => luma(pixels[at] ?? 0, pixels[at + 1] ?? 0, pixels[at + 2] ?? 0);
  const [lumas, squares] = [channel(lumaAt), channel((at) => lumaAt(at) ** 2)];
  const painted = Buffer.from(pixels);
  for (let y = 0, at = 0; y < height; y += 1) {
    const [above, below] = [Math.max(0, y - radius) * width, Math.min(height - 1, y + radius) * width];
    for (let x = 0; x < width; x += 1, at += 4) {
      const [before, after] = [Math.max(0, x - radius), Math.min(width - 1, x + radius)];
      let [best, least] = [0, Infinity];
      for (let corner = 0; corner < 4; corner += 1) {
        const place = (corner < 2 ? above : below) + (corner % 2 === 0 ? before : after);
        const variance = (squares[place] ?? 0) - (lumas[place] ?? 0) ** 2;
        if (variance < least) [best, least] = [place, variance];
      }
      painted[at] = toByte(reds?.[best] ?? 0);
      painted[at + 1] = toByte(greens?.[best] ?? 0);
      painted[at + 2] = toByte(blues?.[best] ?? 0);
    }
  }
  const result = await resize({ width, height, pixels: painted }, frame);
  return share === 1 ? result : { ...result, pixels: withAlphaOf(result.pixels, frame.pixels) };
};

function withAlphaOf(pixels: Buffer, shape: Buffer): Buffer {
  for (let at = 3; at < pixels.length; at += 4) pixels[at] = shape[at] ?? 0;
  return pixels;
}
