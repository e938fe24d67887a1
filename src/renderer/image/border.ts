import { filled } from './background.js';
import { forEachEdgePixel, type Radii, roundCorners, widened } from './corners.js';
import { type Paint, parsePaint } from './effects/paint.js';
import { draw } from './layers/blend.js';
import type { Frame } from './raster-image.js';

/** A border around an image. */
export interface Border {
  readonly width: number;
  readonly paint: Paint;
}

/** Reads `bo`: `4px_solid_black`. */
export function readBorder(value: string): Border {
  const [, width = '', color = ''] = /^(\d+)px_solid_(.+)$/.exec(value) ?? [];
  return { width: Number(width), paint: parsePaint(color) };
}

/** The frame with a border around it, which enlarges it; follows the frame's rounded corners. */
export function addBorder(frame: Frame, { width, paint }: Border, radii: Radii | undefined): Frame {
  const size = { width: frame.width + 2 * width, height: frame.height + 2 * width };
  const sheet = filled(size, paint);
  // Behind the image nothing is painted, so that its transparent areas stay; except under its rounded edge.
  const start = (x: number, y: number): number => ((y + width) * size.width + x + width) * 4;
  for (let y = 0; y < frame.height; y += 1) sheet.pixels.fill(0, start(0, y), start(frame.width, y));
  if (radii) {
    const colour = [paint.red, paint.green, paint.blue, paint.alpha] as const;
    forEachEdgePixel(frame, radii, (index) => {
      sheet.pixels.set(colour, start(index % frame.width, Math.floor(index / frame.width)));
    });
  }
  const ring = radii ? roundCorners(sheet, widened(radii, width)) : sheet;
  draw(ring, frame, width, width);
  return ring;
}
