import { DEFAULT_LIMITS, refuseTooLarge } from '../limits.js';
import type { Frame } from '../raster-image.js';
import { RenderError } from '../render.errors.js';
import { premultiplied, straight } from '../rotate.js';
import type { FrameEffect } from './effect-context.js';
import { fromSharp, toSharp } from './pixels.js';

/** Effects that move pixels. What they uncover is transparent. */

/** The place in the source, in pixels, of a place in the result. A shared array avoids an object per pixel. */
type Inverse = (x: number, y: number, out: Float64Array) => void;

/** A frame of another shape, sampled bilinearly from premultiplied pixels; places outside the source are transparent. */
function warped(frame: Frame, width: number, height: number, inverse: Inverse): Frame {
  const source = premultiplied(frame).pixels;
  const pixels = Buffer.alloc(width * height * 4);
  const place = new Float64Array(2);
  const sums = new Float64Array(4);
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 4) {
      inverse(x + 0.5, y + 0.5, place);
      const [across, down] = [(place[0] ?? 0) - 0.5, (place[1] ?? 0) - 0.5];
      // Also false for a place that is not a number, such as one on the horizon.
      if (!(across > -1 && down > -1 && across < frame.width && down < frame.height)) continue;
      const [column, row] = [Math.floor(across), Math.floor(down)];
      for (let corner = 0; corner < 4; corner += 1) {
        const [fromX, fromY] = [column + (corner & 1), row + (corner >> 1)];
        if (fromX < 0 || fromY < 0 || fromX >= frame.width || fromY >= frame.height) continue;
        const share = (1 - Math.abs(across - fromX)) * (1 - Math.abs(down - fromY));
        const from = (fromY * frame.width + fromX) * 4;
        for (let channel = 0; channel < 4; channel += 1) {
          sums[channel] = (sums[channel] ?? 0) + (source[from + channel] ?? 0) * share;
        }
      }
      for (let channel = 0; channel < 4; channel += 1) {
        pixels[at + channel] = Math.round(sums[channel] ?? 0);
        sums[channel] = 0;
      }
    }
  }
  return straight({ width, height, pixels });
}
/** Solves linear equations by elimination with pivots. Each row ends with its right-hand side. */
function solve(rows: number[][]): number[] {
  const size = rows.length;
  for (let column = 0; column < size; column += 1) {
    let pivot = column;
    for (let row = column + 1; row < size; row += 1) {
      if (Math.abs(rows[row]?.[column] ?? 0) > Math.abs(rows[pivot]?.[column] ?? 0)) pivot = row;
    }
    const found = rows[pivot] ?? [];
    const lead = found[column] ?? 0;
    if (Math.abs(lead) < 1e-9)
      throw new RenderError(400, 'Effect distort needs four corners of a quadrilateral');
    rows[pivot] = rows[column] ?? [];
    rows[column] = found.map((value) => value / lead);
    for (let row = 0; row < size; row += 1) {
      const factor = rows[row]?.[column] ?? 0;
      if (row === column || factor === 0) continue;
      rows[row] = (rows[row] ?? []).map((value, at) => value - factor * (rows[column]?.[at] ?? 0));
    }
  }
  return rows.map((row) => row[size] ?? 0);
}

/** The perspective that moves the corners, clockwise from the top left, to four points; the canvas is their box. */
function perspective(frame: Frame, points: readonly number[], maxPixels: number): Frame {
  const xs = points.filter((_, index) => index % 2 === 0);
  const ys = points.filter((_, index) => index % 2 === 1);
  const [left, top] = [Math.floor(Math.min(...xs)), Math.floor(Math.min(...ys))];
  const width = Math.max(1, Math.ceil(Math.max(...xs)) - left);
  const height = Math.max(1, Math.ceil(Math.max(...ys)) - top);
  refuseTooLarge(width, height, 1, maxPixels);
  const corners = [0, 0, frame.width, 0, frame.width, frame.height, 0, frame.height];
  // From the result to the source: x' = (ax + by + c) / (gx + hy + 1), and y' likewise.
  const rows = [0, 1, 2, 3].flatMap((corner) => {
    const [x, y] = [(xs[corner] ?? 0) - left, (ys[corner] ?? 0) - top];
    const [toX, toY] = [corners[corner * 2] ?? 0, corners[corner * 2 + 1] ?? 0];
    return [
      [x, y, 1, 0, 0, 0, -x * toX, -y * toX, toX],
      [0, 0, 0, x, y, 1, -x * toY, -y * toY, toY],
    ];
  });
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = solve(rows);
  return warped(frame, width, height, (x, y, out) => {
    const depth = g * x + h * y + 1;
    out[0] = depth > 0 ? (a * x + b * y + c) / depth : NaN;
    out[1] = (d * x + e * y + f) / depth;
  });
}

/** Bends a frame around a circle: its horizontal center line keeps its length and spans the angle. */
function arc(frame: Frame, degrees: number, maxPixels: number): Frame {
  const angle = (Math.abs(degrees) * Math.PI) / 180;
  const middle = frame.width / angle;
  const [outer, inner] = [middle + frame.height / 2, Math.max(0, middle - frame.height / 2)];
  const half = angle / 2;
  const reach = half >= Math.PI / 2 ? outer : outer * Math.sin(half);
  // The lowest point is an end of the inner or the outer edge.
  const lowest = -Math.min(inner * Math.cos(half), outer * Math.cos(half));
  const width = Math.max(1, Math.ceil(reach * 2));
  const height = Math.max(1, Math.ceil(outer + lowest));
  refuseTooLarge(width, height, 1, maxPixels);
  return warped(frame, width, height, (x, y, out) => {
    const [across, up] = [x - width / 2, outer - (degrees > 0 ? y : height - y)];
    const radius = Math.hypot(across, up);
    out[0] = frame.width * (Math.atan2(across, up) / angle + 0.5);
    out[1] = degrees > 0 ? outer - radius : frame.height - (outer - radius);
  });
}

/** `distort:<x1>:<y1>:…:<x4>:<y4>`, or `distort:arc:<degrees>`. */
export const distort: FrameEffect = (frame, args, { maxPixels = DEFAULT_LIMITS.pixels }) =>
  args[0] === 'arc'
    ? arc(frame, Number(args[1]), maxPixels)
    : perspective(frame, args.map(Number), maxPixels);

/** `shear:<x>:<y>` in degrees, as ImageMagick: lower rows move to the right, then columns further right move down. */
export const shear: FrameEffect = async (frame, args, { maxPixels = DEFAULT_LIMITS.pixels }) => {
  const [x = 0, y = 0] = args.map((degrees) => Math.tan((Number(degrees) * Math.PI) / 180));
  const width = frame.width + Math.abs(x) * frame.height;
  refuseTooLarge(Math.round(width), Math.round(frame.height + Math.abs(y) * width), 1, maxPixels);
  // libvips weighs the colours by alpha itself.
  return await fromSharp(
    toSharp(frame).affine(
      [
        [1, x],
        [y, 1 + x * y],
      ],
      { background: { r: 0, g: 0, b: 0, alpha: 0 }, interpolator: 'bilinear' },
    ),
  );
};
