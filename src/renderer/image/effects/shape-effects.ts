import { draw } from '../layers/blend.js';
import { DEFAULT_LIMITS, refuseTooLarge } from '../limits.js';
import type { Frame, RasterImage } from '../raster-image.js';
import { mapFrames } from '../raster-image.js';
import { coarselyBlurred } from './area-effects.js';
import { type FrameEffect, level, paintOf } from './effect-context.js';
import { dilated, eroded } from './outline-mask.js';
import { type Paint, parsePaint } from './paint.js';
import { alphaOf, blurred, enlarged, luma, mapAlpha, mapPixels, toByte } from './pixels.js';

/** Effects that look at, or change, what is transparent. */

/** A frame of one colour, with the mask as alpha. */
function painted(mask: Uint8Array, width: number, height: number, paint: Paint): Frame {
  const pixels = Buffer.allocUnsafe(mask.length * 4);
  for (let at = 0; at < mask.length; at += 1) {
    pixels[at * 4] = paint.red;
    pixels[at * 4 + 1] = paint.green;
    pixels[at * 4 + 2] = paint.blue;
    pixels[at * 4 + 3] = Math.round(((mask[at] ?? 0) * paint.alpha) / 255);
  }
  return { width, height, pixels };
}

/**
 * A shape with its outline behind it, on a canvas enlarged by the outline.
 * @param width Of the outline.
 * @param softness Blur of its edge, in pixels of sigma.
 */
export async function outlined(
  frame: Frame,
  width: number,
  softness: number,
  paint: Paint,
  maxPixels = DEFAULT_LIMITS.pixels,
): Promise<Frame> {
  const margin = width + Math.ceil(softness * 3);
  const [wide, high] = [frame.width + 2 * margin, frame.height + 2 * margin];
  refuseTooLarge(wide, high, 1, maxPixels);
  const shape = enlarged(frame, wide, high, margin, margin);
  const ring = painted(dilated(alphaOf(shape), wide, high, width), wide, high, paint);
  const soft = await blurred(ring, softness);
  const canvas: Frame = { ...soft, pixels: Buffer.from(soft.pixels) };
  draw(canvas, shape, 0, 0);
  return canvas;
}

/** Outline blur of 1 to 200 per pixel of sigma. */
const SOFTNESS_PER_SIGMA = 20;

/**
 * `outline[:inner|outer][:<width>][:<blur>]`, without a word both; `fill` and `inner_fill` are refused before.
 */
export const outline: FrameEffect = async (frame, args, context) => {
  const [thickness = 5, softness = 0] = args.filter((arg) => /^\d/.test(arg)).map(Number);
  const paint = paintOf(context, 'black');
  const sigma = softness / SOFTNESS_PER_SIGMA;
  const inner = args.includes('outer') ? frame : await rimmed(frame, thickness, sigma, paint);
  return args.includes('inner') ? inner : outlined(inner, thickness, sigma, paint, context.maxPixels);
};

/** A shape with its outline inside. @param width Of the outline. */
async function rimmed(frame: Frame, width: number, softness: number, paint: Paint): Promise<Frame> {
  const alpha = alphaOf(frame);
  const core = eroded(alpha, frame.width, frame.height, width);
  const rim = painted(
    core.map((inside) => 255 - inside),
    frame.width,
    frame.height,
    paint,
  );
  const canvas: Frame = { ...frame, pixels: Buffer.from(frame.pixels) };
  draw(canvas, await blurred(rim, softness), 0, 0);
  // The rim is limited to the shape.
  for (let at = 0; at < alpha.length; at += 1) canvas.pixels[at * 4 + 3] = alpha[at] ?? 0;
  return canvas;
}

/** Default offset of a shadow, to the bottom right. */
const SHADOW_OFFSET = 10;
/** Shadow strength of 0 to 100 per pixel of sigma. */
const STRENGTH_PER_SIGMA = 10;

/** A soft copy in one colour behind the image, on a canvas that contains both. */
export const shadow: FrameEffect = async (frame, args, context) => {
  const sigma = level(args, 40) / STRENGTH_PER_SIGMA;
  const { x = SHADOW_OFFSET, y = SHADOW_OFFSET } = context;
  const paint = paintOf(context, 'gray');
  const [right, down] = [Math.round(x), Math.round(y)];
  const spread = Math.ceil(sigma * 3);
  const left = Math.max(0, spread - right);
  const top = Math.max(0, spread - down);
  const width = frame.width + left + Math.max(0, spread + right);
  const height = frame.height + top + Math.max(0, spread + down);
  refuseTooLarge(width, height, 1, context.maxPixels ?? DEFAULT_LIMITS.pixels);
  const shape = painted(alphaOf(frame), frame.width, frame.height, paint);
  const canvas = await blurred(enlarged(shape, width, height, left + right, top + down), sigma);
  const result: Frame = { width, height, pixels: Buffer.from(canvas.pixels) };
  draw(result, frame, left, top);
  return result;
};

/** A named argument of `azimuth_30;spread_5`. */
function argument(args: readonly string[], name: string, byDefault: number): number {
  const found = args.flatMap((arg) => arg.split(';')).find((part) => part.startsWith(`${name}_`));
  return found === undefined ? byDefault : Number(found.slice(name.length + 1));
}

/** Of the shorter side: the length of a shadow of light from 45 degrees above, and the longest one. */
const [CAST, LONGEST_CAST] = [0.08, 0.5];
/** Of the shorter side: the sigma of a shadow of spread 100. */
const SOFTEST = 0.05;
/** Of black: the darkness of a shadow. */
const DARKNESS = 0.6;

/**
 * `dropshadow[:azimuth_<0 to 360>][;elevation_<0 to 90>][;spread_<0 to 100>]`: a shadow of what is not transparent, away
 * from the light, within the canvas.
 */
export const dropshadow: FrameEffect = async (frame, args) => {
  const { width, height } = frame;
  const azimuth = (argument(args, 'azimuth', 215) * Math.PI) / 180;
  const elevation = (argument(args, 'elevation', 45) * Math.PI) / 180;
  const side = Math.min(width, height);
  const length = side * Math.min(LONGEST_CAST, CAST / Math.tan(elevation));
  // The azimuth is that of the light, clockwise from the top.
  const [left, top] = [-Math.sin(azimuth) * length, Math.cos(azimuth) * length];
  const paint = { red: 0, green: 0, blue: 0, alpha: 255 * DARKNESS };
  const canvas: Frame = { width, height, pixels: Buffer.alloc(frame.pixels.length) };
  draw(canvas, painted(alphaOf(frame), width, height, paint), Math.round(left), Math.round(top));
  const soft = await coarselyBlurred(canvas, (side * SOFTEST * argument(args, 'spread', 50)) / 100);
  const result: Frame = { width, height, pixels: Buffer.from(soft.pixels) };
  draw(result, frame, 0, 0);
  return result;
};

/** The strength at which a fade is linear. */
const LINEAR_FADE = 20;

/**
 * `gradient_fade[:symmetric|symmetric_pad][:<0 to 100>]`: transparent towards an edge. `x` and `y` are the lengths of the
 * fade from the left and the top, negative ones from the right and the bottom; the upper half by default.
 */
export const gradientFade: FrameEffect = (frame, args, { x, y }) => {
  const { width, height } = frame;
  const isSymmetric = args.some((arg) => arg.startsWith('symmetric'));
  const strength = Number(args.find((arg) => /^\d/.test(arg)) ?? LINEAR_FADE);
  const shares = (side: number, length: number): Float64Array =>
    Float64Array.from({ length: side }, (_, at) => {
      const near = length < 0 ? side - at - 0.5 : at + 0.5;
      const distance = isSymmetric ? Math.min(near, side - near) : near;
      return length === 0 ? 1 : Math.min(1, distance / Math.abs(length)) ** (strength / LINEAR_FADE);
    });
  const columns = shares(width, x ?? 0);
  const rows = shares(height, y ?? (x === undefined ? height / 2 : 0));
  const pixels = Buffer.from(frame.pixels);
  for (let row = 0, at = 3; row < height; row += 1) {
    for (let column = 0; column < width; column += 1, at += 4) {
      pixels[at] = Math.round((pixels[at] ?? 0) * (rows[row] ?? 0) * (columns[column] ?? 0));
    }
  }
  return { width, height, pixels };
};

export const opacityThreshold: FrameEffect = (frame, args) => {
  const threshold = (255 * level(args, 50)) / 100;
  return mapAlpha(frame, (alpha) => (alpha < threshold ? 0 : 255));
};

/** Whether two colours are similar: no channel differs by more than a tolerance of 0 to 255. */
const alike = (pixels: Buffer, at: number, paint: Paint, tolerance: number): boolean =>
  Math.abs((pixels[at] ?? 0) - paint.red) <= tolerance &&
  Math.abs((pixels[at + 1] ?? 0) - paint.green) <= tolerance &&
  Math.abs((pixels[at + 2] ?? 0) - paint.blue) <= tolerance;

const paintAt = ({ pixels }: Frame, at: number): Paint => ({
  red: pixels[at] ?? 0,
  green: pixels[at + 1] ?? 0,
  blue: pixels[at + 2] ?? 0,
  alpha: pixels[at + 3] ?? 0,
});

/** The most frequent colour along the edges: "the background is determined as all pixels that resemble" them. */
function edgePaint(frame: Frame): Paint {
  const { width, height, pixels } = frame;
  const counts = new Map<number, number>();
  let [best, most] = [0, 0];
  const count = (place: number): void => {
    const color = pixels.readUInt32LE(place * 4);
    const seen = (counts.get(color) ?? 0) + 1;
    counts.set(color, seen);
    if (seen > most) [best, most] = [place * 4, seen];
  };
  for (let x = 0; x < width; x += 1) {
    count(x);
    count((height - 1) * width + x);
  }
  for (let y = 0; y < height; y += 1) {
    count(y * width);
    count(y * width + width - 1);
  }
  return paintAt(frame, best);
}

export const makeTransparent: FrameEffect = (frame, args, context) => {
  const tolerance = (255 * level(args, 10)) / 100;
  const paint = context.color === undefined ? edgePaint(frame) : parsePaint(context.color);
  const pixels = Buffer.from(frame.pixels);
  for (let at = 0; at < pixels.length; at += 4) {
    if (alike(pixels, at, paint, tolerance)) pixels[at + 3] = 0;
  }
  return { ...frame, pixels };
};

/** The box of everything except background, or undefined if all is background. */
function contents(
  frame: Frame,
  tolerance: number,
  override: Paint | undefined,
): { left: number; top: number; right: number; bottom: number } | undefined {
  const { width, height, pixels } = frame;
  const background = override ?? paintAt(frame, 0);
  const isBackground = (at: number): boolean => {
    const alpha = pixels[at + 3] ?? 0;
    // The colours of transparent pixels are invisible; a border of a given colour may be transparent too.
    if (alpha <= tolerance && (override !== undefined || background.alpha <= tolerance)) return true;
    return Math.abs(alpha - background.alpha) <= tolerance && alike(pixels, at, background, tolerance);
  };
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 4) {
      if (isBackground(at)) continue;
      if (x < left) left = x;
      if (x >= right) right = x + 1;
      if (y < top) top = y;
      bottom = y + 1;
    }
  }
  return right > left ? { left, top, right, bottom } : undefined;
}

/** `trim[:<tolerance>][:<color>]`: cuts off edges that resemble the top left pixel, from all frames alike. */
export async function trim(image: RasterImage, args: readonly string[]): Promise<RasterImage> {
  const [first, second] = args;
  // The vocabulary reads an argument that cannot be a tolerance as the colour.
  const hasTolerance = first !== undefined && /^(?:\d|[1-9]\d|100)$/.test(first);
  const tolerance = (255 * (hasTolerance ? Number(first) : 10)) / 100;
  const color = hasTolerance ? second : first;
  const override = color === undefined ? undefined : parsePaint(color);
  const boxes = image.frames
    .map((frame) => contents(frame, tolerance, override))
    .filter((box) => box !== undefined);
  // All is background: an image without pixels is impossible.
  if (boxes.length === 0) return image;
  const left = Math.min(...boxes.map((box) => box.left));
  const top = Math.min(...boxes.map((box) => box.top));
  const width = Math.max(...boxes.map((box) => box.right)) - left;
  const height = Math.max(...boxes.map((box) => box.bottom)) - top;
  return mapFrames(image, (frame) => {
    const pixels = Buffer.allocUnsafe(width * height * 4);
    for (let row = 0; row < height; row += 1) {
      const from = ((top + row) * frame.width + left) * 4;
      frame.pixels.copy(pixels, row * width * 4, from, from + width * 4);
    }
    return { width, height, pixels };
  });
}

/** Linear light of an sRGB byte, 0 to 1. */
const LINEAR = Float64Array.from({ length: 256 }, (_, byte) => {
  const share = byte / 255;
  return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
});

/** CIELAB of sRGB bytes, white being D65. */
function toLab(red: number, green: number, blue: number): readonly [lightness: number, a: number, b: number] {
  const [r, g, b] = [LINEAR[red] ?? 0, LINEAR[green] ?? 0, LINEAR[blue] ?? 0];
  const curve = (t: number): number => (t > 216 / 24389 ? Math.cbrt(t) : ((24389 / 27) * t + 16) / 116);
  const x = curve((0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047);
  const y = curve(0.2126729 * r + 0.7151522 * g + 0.072175 * b);
  const z = curve((0.0193339 * r + 0.119192 * g + 0.9503041 * b) / 1.08883);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

/** Cb and Cr of a colour, each around 0. */
const chroma = (red: number, green: number, blue: number): readonly [number, number] => {
  const gray = luma(red, green, blue);
  return [(blue - gray) / 1.8556, (red - gray) / 1.5748];
};

/** The most frequent of the strongly coloured shades, in steps of 16: the probable colour of an object. */
function prominent({ pixels }: Frame): Paint {
  const counts = new Float64Array(4096);
  for (let at = 0; at < pixels.length; at += 4) {
    const [red = 0, green = 0, blue = 0] = [pixels[at], pixels[at + 1], pixels[at + 2]];
    const strength = Math.max(red, green, blue) - Math.min(red, green, blue);
    const bin = ((red >> 4) << 8) | ((green >> 4) << 4) | (blue >> 4);
    counts[bin] = (counts[bin] ?? 0) + (strength / 255) ** 2 * (pixels[at + 3] ?? 0);
  }
  let best = 0;
  for (const [bin, count] of counts.entries()) if (count > (counts[best] ?? 0)) best = bin;
  const middle = (bits: number): number => (bits & 15) * 16 + 8;
  return { red: middle(best >> 8), green: middle(best >> 4), blue: middle(best), alpha: 255 };
}

/** The last fraction of the tolerance, over which the change fades out. */
const FADE = 0.25;

/**
 * `replace_color:<to>[:<tolerance>][:<from>]`: shades of one colour become the same shades of another. The tolerance is
 * "a radius in the LAB color space" (the SDK's `ReplaceColorAction`), 50 by default.
 */
export const replaceColor: FrameEffect = (frame, args) => {
  const [target = 'black', ...rest] = args;
  const to = parsePaint(target);
  const hasTolerance = rest[0] !== undefined && /^(?:\d|[1-9]\d|100)$/.test(rest[0]);
  const reach = hasTolerance ? Number(rest.shift()) : 50;
  const from = rest[0] === undefined ? prominent(frame) : parsePaint(rest[0]);
  const [lightness, fromA, fromB] = toLab(from.red, from.green, from.blue);
  const [fromBlue, fromRed] = chroma(from.red, from.green, from.blue);
  const [toBlue, toRed] = chroma(to.red, to.green, to.blue);
  const lighter = luma(to.red, to.green, to.blue) - luma(from.red, from.green, from.blue);
  return mapPixels(frame, (red, green, blue, out) => {
    const [ofBlue, ofRed] = chroma(red, green, blue);
    const [light, a, b] = toLab(red, green, blue);
    const away = Math.hypot(light - lightness, a - fromA, b - fromB);
    const share = Math.min(1, Math.max(0, (reach - away) / (reach * FADE || 1) + (away === 0 ? 1 : 0)));
    const gray = luma(red, green, blue) + lighter * share;
    const [newBlue, newRed] = [ofBlue + (toBlue - fromBlue) * share, ofRed + (toRed - fromRed) * share];
    out[0] = gray + 1.5748 * newRed;
    out[2] = gray + 1.8556 * newBlue;
    out[1] = (gray - 0.2126 * toByte(out[0]) - 0.0722 * toByte(out[2])) / 0.7152;
    if (share === 0) {
      out[0] = red;
      out[1] = green;
      out[2] = blue;
    }
  });
};
