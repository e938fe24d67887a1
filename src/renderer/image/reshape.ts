import type { Rectangle, Size } from './box.js';
import { enlarged, fromSharp, toSharp } from './effects/pixels.js';
import type { Frame } from './raster-image.js';

/** A part of a frame. */
export function extract(frame: Frame, { left, top, width, height }: Rectangle): Frame {
  if (width === frame.width && height === frame.height) return frame;
  const pixels = Buffer.allocUnsafe(width * height * 4);
  for (let row = 0; row < height; row += 1) {
    const from = ((top + row) * frame.width + left) * 4;
    frame.pixels.copy(pixels, row * width * 4, from, from + width * 4);
  }
  return { width, height, pixels };
}

/** A frame scaled to a size, by Lanczos 3; colours are weighted by alpha, so that transparent pixels do not bleed. */
export async function resize(frame: Frame, { width, height }: Size): Promise<Frame> {
  if (width === frame.width && height === frame.height) return frame;
  return fromSharp(toSharp(frame).resize(width, height, { fit: 'fill' }));
}

/** A frame on a larger, transparent canvas. Parts outside are cut off. */
export function onCanvas(frame: Frame, { width, height }: Size, left: number, top: number): Frame {
  if (width === frame.width && height === frame.height && left === 0 && top === 0) return frame;
  const shown = {
    left: Math.max(0, -left),
    top: Math.max(0, -top),
    width: Math.min(frame.width, width - left) - Math.max(0, -left),
    height: Math.min(frame.height, height - top) - Math.max(0, -top),
  };
  if (shown.width <= 0 || shown.height <= 0) {
    return { width, height, pixels: Buffer.alloc(width * height * 4) };
  }
  return enlarged(extract(frame, shown), width, height, Math.max(0, left), Math.max(0, top));
}
