import type { Frame } from '../raster-image.js';
import { type FilteredEffect, type FrameEffect, level } from './effect-context.js';
import { blurred, mapPixels, softened, toByte, toSharp, fromSharp } from './pixels.js';

/** Effects that look at a pixel's surroundings or its place. */

/** Blur strength per pixel of the Gaussian's sigma: 2000, the strongest, spreads a point over about 200 pixels. */
const STRENGTH_PER_SIGMA = 50;
/** From this sigma on a frame is blurred at half its size or less: it has no finer detail to lose. */
const COARSE_SIGMA = 8;

/** A Gaussian blur whose time does not grow with its sigma. */
export async function coarselyBlurred(frame: Frame, sigma: number): Promise<Frame> {
  const shrink = Math.floor(sigma / (COARSE_SIGMA / 2));
  if (shrink < 2 || frame.width < shrink || frame.height < shrink) return blurred(frame, sigma);
  const { width, height } = frame;
  const small = await fromSharp(
    toSharp(frame).resize(Math.ceil(width / shrink), Math.ceil(height / shrink), { fit: 'fill' }),
  );
  const soft = await blurred(small, sigma / shrink);
  return fromSharp(toSharp(soft).resize(width, height, { fit: 'fill', kernel: 'cubic' }));
}

export const blur: FilteredEffect = {
  apply: (frame, args) => coarselyBlurred(frame, sigmaOf(args)),
  filter: (args) => {
    const sigma = sigmaOf(args);
    return sigma < COARSE_SIGMA ? (pipeline) => softened(pipeline, sigma) : undefined;
  },
};

const sigmaOf = (args: readonly string[]): number => level(args, 100) / STRENGTH_PER_SIGMA;

/** Squares from the top left, each the mean of its pixels, weighted by alpha. */
export const pixelate: FrameEffect = (frame, args) => {
  const { width, height, pixels: source } = frame;
  const side = level(args, Math.min(200, Math.max(1, Math.round(Math.min(width, height) / 20))));
  const pixels = Buffer.allocUnsafe(source.length);
  for (let top = 0; top < height; top += side) {
    const bottom = Math.min(height, top + side);
    for (let left = 0; left < width; left += side) {
      const right = Math.min(width, left + side);
      let [red, green, blue, alpha] = [0, 0, 0, 0];
      for (let y = top; y < bottom; y += 1) {
        for (let at = (y * width + left) * 4; at < (y * width + right) * 4; at += 4) {
          const weight = source[at + 3] ?? 0;
          red += (source[at] ?? 0) * weight;
          green += (source[at + 1] ?? 0) * weight;
          blue += (source[at + 2] ?? 0) * weight;
          alpha += weight;
        }
      }
      const whole = alpha || 1;
      const opacity = toByte(alpha / ((bottom - top) * (right - left)));
      const colour = [toByte(red / whole), toByte(green / whole), toByte(blue / whole), opacity] as const;
      for (let y = top; y < bottom; y += 1) {
        for (let at = (y * width + left) * 4; at < (y * width + right) * 4; at += 4) {
          [pixels[at], pixels[at + 1], pixels[at + 2], pixels[at + 3]] = colour;
        }
      }
    }
  }
  return { width, height, pixels };
};

/** Adds the difference between a frame and its blurred copy, times an amount. */
async function unsharp(frame: Frame, sigma: number, amount: number): Promise<Frame> {
  const soft = (await blurred(frame, sigma)).pixels;
  const { pixels: source } = frame;
  const pixels = Buffer.from(source);
  for (let at = 0; at < pixels.length; at += 4) {
    for (let channel = at; channel < at + 3; channel += 1) {
      const value = source[channel] ?? 0;
      pixels[channel] = toByte(value + (value - (soft[channel] ?? 0)) * amount);
    }
  }
  return { ...frame, pixels };
}

export const sharpen: FrameEffect = (frame, args) => unsharp(frame, 0.7, level(args, 100) / 100);
export const unsharpMask: FrameEffect = (frame, args) => unsharp(frame, 1.5, level(args, 100) / 100);

/** Darkens towards the corners, in an ellipse with the frame's proportions. */
export const vignette: FrameEffect = (frame, args) => {
  const strength = level(args, 20) / 100;
  const { width, height } = frame;
  // Full light reaches to the ellipse that touches the edges at strength 0, and to the center at 100.
  const inner = 1 - strength;
  const outer = Math.SQRT2;
  let at = 0;
  return mapPixels(frame, (red, green, blue, out) => {
    const x = ((at % width) + 0.5) / (width / 2) - 1;
    const y = (Math.floor(at / width) + 0.5) / (height / 2) - 1;
    at += 1;
    const way = Math.min(1, Math.max(0, (Math.hypot(x, y) - inner) / (outer - inner)));
    const light = 1 - strength * way * way * (3 - 2 * way);
    out[0] = red * light;
    out[1] = green * light;
    out[2] = blue * light;
  });
};

/** Grain of one gray value per pixel; derived from the position, so that an image always renders the same. */
export const noise: FrameEffect = (frame, args) => {
  const amplitude = (level(args, 0) / 100) * 255;
  let place = 0;
  return mapPixels(frame, (red, green, blue, out) => {
    let hash = Math.imul(place ^ 0x9e3779b9, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    const grain = (((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32 - 0.5) * amplitude;
    place += 1;
    out[0] = red + grain;
    out[1] = green + grain;
    out[2] = blue + grain;
  });
};
