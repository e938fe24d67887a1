import { toByte } from '../effects/pixels.js';
import type { Frame } from '../raster-image.js';

/** A pseudo-random number of 0 to 1, constant per position: an image always renders the same. */
function scattered(place: number): number {
  let hash = Math.imul(place ^ 0x9e3779b9, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/** Maximum displacement of a pixel, and maximum change of its opacity, at level 100. */
const [MOST_PIXELS_OFF, MOST_OPACITY_OFF] = [4, 0.3];

/**
 * A layer with waves and uneven opacity, which is harder to subtract than a clean one. Cloudinary's algorithm is
 * undocumented; this is an approximation.
 * @param level 1 to 100.
 */
export function roughened(layer: Frame, level: number): Frame {
  const { width, height, pixels: source } = layer;
  const pixels = Buffer.allocUnsafe(source.length);
  const reach = (MOST_PIXELS_OFF * level) / 100;
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 4) {
      const fromX = Math.min(width - 1, Math.max(0, Math.round(x + reach * Math.sin(y / 7 + x / 23))));
      const fromY = Math.min(height - 1, Math.max(0, Math.round(y + reach * Math.sin(x / 11 + y / 29))));
      const from = (fromY * width + fromX) * 4;
      source.copy(pixels, at, from, from + 3);
      const fading = 1 - (MOST_OPACITY_OFF * level * scattered(y * width + x)) / 100;
      pixels[at + 3] = toByte((source[from + 3] ?? 0) * fading);
    }
  }
  return { width, height, pixels };
}
