import type { Frame } from '../raster-image.js';

/** The result for two opaque colour bytes, backdrop and source: 256 × 256, backdrop first. */
export type Blend = Uint8Array;

const blend = (mix: (backdrop: number, source: number) => number): Blend =>
  Uint8Array.from({ length: 65536 }, (_, index) =>
    Math.round(255 * mix((index >> 8) / 255, (index & 255) / 255)),
  );

const multiply = (a: number, b: number): number => a * b;
const screen = (a: number, b: number): number => a + b - a * b;

/** Only the source. */
export const NORMAL: Blend = blend((_, source) => source);

/** Separable blend modes of the W3C's Compositing and Blending Level 1, by Cloudinary's names. */
export const BLENDS: ReadonlyMap<string, Blend> = new Map([
  ['multiply', blend(multiply)],
  ['screen', blend(screen)],
  [
    'overlay',
    blend((backdrop, source) =>
      backdrop <= 0.5 ? multiply(2 * backdrop, source) : screen(2 * backdrop - 1, source),
    ),
  ],
]);

/**
 * Draws a frame over part of another, in place ("source over" with a blend mode, straight alpha).
 * @param left Of the source within the target; parts outside are not drawn.
 */
export function draw(target: Frame, source: Frame, left: number, top: number, mode: Blend = NORMAL): void {
  const fromX = Math.max(0, -left);
  const toX = Math.min(source.width, target.width - left);
  const fromY = Math.max(0, -top);
  const toY = Math.min(source.height, target.height - top);
  const below = target.pixels;
  const above = source.pixels;
  for (let y = fromY; y < toY; y += 1) {
    let at = ((y + top) * target.width + left + fromX) * 4;
    let from = (y * source.width + fromX) * 4;
    for (let x = fromX; x < toX; x += 1, at += 4, from += 4) {
      const alpha = above[from + 3] ?? 0;
      if (alpha === 0) continue;
      const under = below[at + 3] ?? 0;
      // The three weights are of 255 × 255, and their sum is the resulting alpha.
      const both = alpha * under;
      const sourceOnly = alpha * (255 - under);
      const backdropOnly = (255 - alpha) * under;
      const sum = both + sourceOnly + backdropOnly;
      for (let channel = 0; channel < 3; channel += 1) {
        const backdrop = below[at + channel] ?? 0;
        const colour = above[from + channel] ?? 0;
        const mixed = mode[(backdrop << 8) | colour] ?? 0;
        below[at + channel] = Math.round(
          (both * mixed + sourceOnly * colour + backdropOnly * backdrop) / sum,
        );
      }
      below[at + 3] = Math.round(sum / 255);
    }
  }
}
