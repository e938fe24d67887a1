import { evaluate, type Measures } from './arithmetic.js';
import type { Size } from './box.js';
import type { Frame } from './raster-image.js';

/** One corner's ellipse, in pixels. */
export interface Radius {
  readonly x: number;
  readonly y: number;
}

/** Top left, top right, bottom right, bottom left. */
export type Radii = readonly [Radius, Radius, Radius, Radius];

/**
 * Reads `r` for an image of a size: `max` is an ellipse; one to four values are corners as in CSS, reduced together if
 * two on one side overlap (transformation_reference#r_round_corners).
 */
export function readRadii(value: string, size: Size, measures: Measures): Radii {
  if (value === 'max') {
    const oval: Radius = { x: size.width / 2, y: size.height / 2 };
    return [oval, oval, oval, oval];
  }
  const given = value.split(':').map((text) => Math.max(0, evaluate(text, measures)));
  const [topLeft = 0, topRight = topLeft, bottomRight = topLeft, bottomLeft = topRight] = given;
  const fits = Math.min(
    1,
    size.width / Math.max(1, topLeft + topRight, bottomLeft + bottomRight),
    size.height / Math.max(1, topLeft + bottomLeft, topRight + bottomRight),
  );
  const radius = (length: number): Radius => ({ x: length * fits, y: length * fits });
  return [radius(topLeft), radius(topRight), radius(bottomRight), radius(bottomLeft)];
}

/** The same corners at a distance outside. */
export function widened(radii: Radii, by: number): Radii {
  const widen = ({ x, y }: Radius): Radius => (x === 0 || y === 0 ? { x, y } : { x: x + by, y: y + by });
  const [topLeft, topRight, bottomRight, bottomLeft] = radii;
  return [widen(topLeft), widen(topRight), widen(bottomRight), widen(bottomLeft)];
}

/** Samples along each side of a pixel on the edge. */
const SAMPLES = 4;

/** The frame with transparent corners. */
export function roundCorners(frame: Frame, radii: Radii): Frame {
  const pixels = Buffer.from(frame.pixels);
  forEachEdgePixel(frame, radii, (index, share) => {
    pixels[index * 4 + 3] = Math.round((pixels[index * 4 + 3] ?? 0) * share);
  });
  return { ...frame, pixels };
}

/** Visits every pixel that is not entirely within the rounded shape, with the fraction that is, 0 to below 1. */
export function forEachEdgePixel(
  { width, height }: Size,
  radii: Radii,
  visit: (index: number, share: number) => void,
): void {
  const [topLeft, topRight, bottomRight, bottomLeft] = radii;
  const corners = [
    { radius: topLeft, isRight: false, isBottom: false },
    { radius: topRight, isRight: true, isBottom: false },
    { radius: bottomRight, isRight: true, isBottom: true },
    { radius: bottomLeft, isRight: false, isBottom: true },
  ];
  for (const { radius, isRight, isBottom } of corners) {
    const columns = Math.min(width, Math.ceil(radius.x));
    const rows = Math.min(height, Math.ceil(radius.y));
    for (let row = 0; row < rows; row += 1) {
      for (let column = 0; column < columns; column += 1) {
        const share = shareInside(column, row, radius);
        if (share === 1) continue;
        const x = isRight ? width - 1 - column : column;
        const y = isBottom ? height - 1 - row : row;
        visit(y * width + x, share);
      }
    }
  }
}

/** The fraction of a pixel, counted from the corner, within the corner's ellipse. */
function shareInside(column: number, row: number, { x: radiusX, y: radiusY }: Radius): number {
  // The pixel's corner next to the ellipse's center is its innermost point, the opposite one its outermost.
  if (!isOutside(column, row, radiusX, radiusY)) return 1;
  let inside = 0;
  for (let down = 0; down < SAMPLES; down += 1) {
    for (let across = 0; across < SAMPLES; across += 1) {
      const [x, y] = [column + (across + 0.5) / SAMPLES, row + (down + 0.5) / SAMPLES];
      if (!isOutside(x, y, radiusX, radiusY)) inside += 1;
    }
  }
  return inside / SAMPLES ** 2;
}

function isOutside(x: number, y: number, radiusX: number, radiusY: number): boolean {
  if (x >= radiusX || y >= radiusY) return false;
  return ((radiusX - x) / radiusX) ** 2 + ((radiusY - y) / radiusY) ** 2 > 1;
}
