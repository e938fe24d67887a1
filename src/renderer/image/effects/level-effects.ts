import type { Frame } from '../raster-image.js';
import { saturation } from './color-effects.js';
import { type FrameEffect, level } from './effect-context.js';
import { luma, mapChannels, mapPixels, table } from './pixels.js';

/** Effects that look at how a frame's shades are spread. */

/** Fraction of the pixels at either end that may be clipped: a single hot pixel must not decide. */
const CLIPPED = 0.005;

type Histograms = readonly [Float64Array, Float64Array, Float64Array, Float64Array];

/** Of red, green, blue and luma; transparent pixels are not counted. */
function histograms({ pixels }: Frame): Histograms {
  const counts: Histograms = [
    new Float64Array(256),
    new Float64Array(256),
    new Float64Array(256),
    new Float64Array(256),
  ];
  for (let at = 0; at < pixels.length; at += 4) {
    if (pixels[at + 3] === 0) continue;
    const [red = 0, green = 0, blue = 0] = [pixels[at], pixels[at + 1], pixels[at + 2]];
    const shades = [red, green, blue, Math.round(luma(red, green, blue))];
    for (const [index, histogram] of counts.entries()) {
      const shade = shades[index] ?? 0;
      histogram[shade] = (histogram[shade] ?? 0) + 1;
    }
  }
  return counts;
}

/** The darkest and the lightest shade, except the clipped ones. */
function ends(histogram: Float64Array): readonly [low: number, high: number] {
  const total = histogram.reduce((sum, count) => sum + count, 0);
  const end = (shades: Iterable<number>): number => {
    let seen = 0;
    for (const shade of shades) {
      seen += histogram[shade] ?? 0;
      if (seen > total * CLIPPED) return shade;
    }
    return 0;
  };
  const upwards = Array.from({ length: 256 }, (_, shade) => shade);
  return [end(upwards), end(upwards.toReversed())];
}

/** Stretches `low` to `high` over the full range, by a fraction of 0 to 1. */
function stretch([low, high]: readonly [number, number], share: number): Uint8Array {
  // A single shade cannot be stretched.
  if (high <= low) return table((value) => value);
  return table((value) => value + (((value - low) * 255) / (high - low) - value) * share);
}

export const autoContrast: FrameEffect = (frame, args) =>
  mapChannels(frame, stretch(ends(histograms(frame)[3]), level(args, 100) / 100));

export const autoColor: FrameEffect = (frame, args) => {
  const share = level(args, 100) / 100;
  const [reds, greens, blues] = histograms(frame);
  return mapChannels(
    frame,
    stretch(ends(reds), share),
    stretch(ends(greens), share),
    stretch(ends(blues), share),
  );
};

/** A gamma that moves the mean luma to the middle; bounded, so that a night does not become a day. */
export const autoBrightness: FrameEffect = (frame, args) => {
  const share = level(args, 100) / 100;
  const lumas = histograms(frame)[3];
  let [total, sum] = [0, 0];
  for (const [shade, count] of lumas.entries()) {
    total += count;
    sum += shade * count;
  }
  const mean = total === 0 ? 0.5 : sum / total / 255;
  if (mean <= 0 || mean >= 1) return frame;
  const exponent = Math.min(2, Math.max(0.5, Math.log(0.5) / Math.log(mean)));
  return mapChannels(
    frame,
    table((value) => value + (255 * (value / 255) ** exponent - value) * share),
  );
};

/** `improve[:indoor|outdoor][:<blend>]`: contrast stretched, and a little more colour outdoors. */
export const improve: FrameEffect = async (frame, args) => {
  const share = Number(args.find((arg) => /^\d/.test(arg)) ?? 100) / 100;
  const stretched = await autoContrast(frame, [], {});
  const better = await saturation.apply(stretched, [args.includes('indoor') ? '5' : '15'], {});
  let at = 0;
  return mapPixels(frame, (red, green, blue, out) => {
    out[0] = red + ((better.pixels[at] ?? 0) - red) * share;
    out[1] = green + ((better.pixels[at + 1] ?? 0) - green) * share;
    out[2] = blue + ((better.pixels[at + 2] ?? 0) - blue) * share;
    at += 4;
  });
};
