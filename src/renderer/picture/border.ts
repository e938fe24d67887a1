import { filled } from './background.js';
import { forEachEdgePixel, type Radii, roundCorners, widened } from './corners.js';
import { type Paint, parsePaint } from './effects/paint.js';
import { draw } from './layers/blend.js';
import type { Frame } from './picture.js';

/** A line around a picture. */
export interface Border {
  readonly width: number;
  readonly paint: Paint;
}

/** Reads `bo`: `4px_solid_black`. */
export function readBorder(value: string): Border {
  const [, width = '', color = ''] = /^(\d+)px_solid_(.+)$/.exec(value) ?? [];
  return { width: Number(width), paint: parsePaint(color) };
}

/** The frame with a border around it, which makes it larger; it follows the frame's rounded corners. */
export function addBorder(frame: Frame, { width, paint }: Border, radii: Radii | undefined): Frame {
  const size = { width: frame.width + 2 * width, height: frame.height + 2 * width };
  const sheet = filled(size, paint);
  const edge = radii ? new Set<number>() : undefined;
  if (radii) forEachEdgePixel(frame, radii, (index) => edge?.add(index));
  // Behind the picture nothing is painted, so that what is transparent in it stays so; but under its rounded edge.
  for (let y = 0; y < frame.height; y += 1) {
    for (let x = 0; x < frame.width; x += 1) {
      if (edge?.has(y * frame.width + x) !== true) {
        const at = ((y + width) * size.width + x + width) * 4;
        sheet.pixels.fill(0, at, at + 4);
      }
    }
  }
  const ring = radii ? roundCorners(sheet, widened(radii, width)) : sheet;
  draw(ring, frame, width, width);
  return ring;
}
