import type { Approximations } from './approximations.js';
import type { Size } from './box.js';
import { type Paint, parsePaint } from './effects/paint.js';
import { coarselyBlurred } from './effects/area-effects.js';
import { luma, mapChannels, table } from './effects/pixels.js';
import { draw } from './layers/blend.js';
import type { Frame } from './raster-image.js';
import { RenderError } from './render.errors.js';
import { extract, resize } from './reshape.js';

/** The fill of transparent areas, and of a canvas that is larger than the image. */
export type Background =
  | { readonly kind: 'paint'; readonly paint: Paint }
  | { readonly kind: 'gradient'; readonly corners: Corners }
  | { readonly kind: 'blurred'; readonly sigma: number; readonly brightness: number };

/** Colours at the top left, top right, bottom left and bottom right. */
type Corners = readonly [Paint, Paint, Paint, Paint];

/** A frame of one colour. */
export function filled({ width, height }: Size, { red, green, blue, alpha }: Paint): Frame {
  return { width, height, pixels: Buffer.alloc(width * height * 4, Buffer.from([red, green, blue, alpha])) };
}

/**
 * Reads `b` for an image before it is padded.
 * @param firstFrame The image's pixels, for a colour that depends on them.
 * @throws {RenderError} 400 for generated backgrounds.
 */
export async function readBackground(
  value: string,
  firstFrame: () => Promise<Frame>,
  notes: Approximations,
): Promise<Background> {
  if (value.startsWith('gen_fill')) throw new RenderError(400, `Background ${value} is not supported`);
  if (value.startsWith('blurred')) {
    const [, intensity = '100', brightness = '0'] = value.split(':');
    notes.add('b_blurred: Gaussian');
    // Cloudinary's intensity has no unit; it is scaled like e_blur's range of 1 to 2000.
    return { kind: 'blurred', sigma: Number(intensity) / 10, brightness: Number(brightness) };
  }
  if (!value.startsWith('auto')) return { kind: 'paint', paint: parsePaint(value) };
  if (value.includes('gradient')) {
    notes.add(`b_${value}: predominant colours`);
    return { kind: 'gradient', corners: gradientCorners(value, await firstFrame()) };
  }
  notes.add(`b_${value}: predominant colour`);
  return { kind: 'paint', paint: automaticPaint(value, await firstFrame()) };
}

/** The frame on a background. */
export function flatten(frame: Frame, background: Exclude<Background, { kind: 'blurred' }>): Frame {
  if (background.kind === 'paint' && background.paint.alpha === 0) return frame;
  const canvas =
    background.kind === 'paint' ? filled(frame, background.paint) : gradient(frame, background.corners);
  draw(canvas, frame, 0, 0);
  return canvas;
}

/** A frame whose colours are interpolated between its corners. */
function gradient({ width, height }: Size, corners: Corners): Frame {
  const pixels = Buffer.alloc(width * height * 4, 255);
  const channels = (['red', 'green', 'blue'] as const).map((name) => corners.map((paint) => paint[name]));
  for (let y = 0; y < height; y += 1) {
    const down = height === 1 ? 0 : y / (height - 1);
    for (const [
      channel,
      [topLeft = 0, topRight = 0, bottomLeft = 0, bottomRight = 0],
    ] of channels.entries()) {
      const left = topLeft + (bottomLeft - topLeft) * down;
      const step = (topRight + (bottomRight - topRight) * down - left) / Math.max(1, width - 1);
      for (let x = 0, at = y * width * 4 + channel; x < width; x += 1, at += 4) {
        pixels[at] = Math.round(left + step * x);
      }
    }
  }
  return { width, height, pixels };
}

/** The part of a frame that covers a canvas, blurred: the padding of `b_blurred`. */
export async function blurredBackdrop(
  frame: Frame,
  canvas: Size,
  { sigma, brightness }: { readonly sigma: number; readonly brightness: number },
): Promise<Frame> {
  const factor = Math.max(canvas.width / frame.width, canvas.height / frame.height);
  const within = (side: number, most: number): number =>
    Math.min(most, Math.max(1, Math.round(side / factor)));
  const part = { width: within(canvas.width, frame.width), height: within(canvas.height, frame.height) };
  const covering = extract(frame, {
    ...part,
    left: Math.floor((frame.width - part.width) / 2),
    top: Math.floor((frame.height - part.height) / 2),
  });
  const soft = await coarselyBlurred(await resize(covering, canvas), sigma);
  return brightness === 0
    ? soft
    : mapChannels(
        soft,
        table((channel) => channel + (brightness * 255) / 100),
      );
}

/** Bits of a channel by which colours are grouped. */
const GROUP_BITS = 4;

/** The most frequent colour of the border or of the whole image; with a palette, its nearest colour. */
function automaticPaint(value: string, frame: Frame): Paint {
  const [found] = predominant(frame, value.includes('predominant'));
  return nearest(value.includes('_contrast') ? contrasting(found) : found, paletteOf(value));
}

const paletteOf = (value: string): readonly Paint[] =>
  /:palette_(.+)$/.exec(value)?.[1]?.split('_').map(parsePaint) ?? [];

/** The colour of a palette that is nearest to a colour, or without a palette the colour itself. */
function nearest(paint: Paint, palette: readonly Paint[]): Paint {
  const distance = (other: Paint): number =>
    Math.hypot(other.red - paint.red, other.green - paint.green, other.blue - paint.blue);
  return palette.toSorted((one, other) => distance(one) - distance(other))[0] ?? paint;
}

/**
 * The colours of a gradient: two along a direction, or four, one for each corner. Where the image has fewer, they are
 * repeated.
 */
function gradientCorners(value: string, frame: Frame): Corners {
  const found = predominant(frame, value.includes('predominant'));
  const wanted = value.includes('_contrast') ? found.map(contrasting) : found;
  let palette = paletteOf(value);
  const paints = wanted.slice(0, Math.max(2, palette.length || 4)).map((paint) => {
    const chosen = nearest(paint, palette);
    // Each colour of the palette once, as far as there are enough.
    if (palette.length > 1) palette = palette.filter((each) => each !== chosen);
    return chosen;
  });
  const [first = WHITE, second = first, third = first, fourth = second] = paints;
  if (/:4(?:$|:)/.test(value)) return [first, second, third, fourth];
  const middle = mean([first, second]);
  if (value.includes(':vertical')) return [first, first, second, second];
  if (value.includes(':diagonal_desc')) return [first, middle, middle, second];
  if (value.includes(':diagonal_asc')) return [middle, second, first, middle];
  return [first, second, first, second];
}

const mean = (paints: readonly [Paint, Paint]): Paint => {
  const [one, other] = paints;
  const part = (name: 'red' | 'green' | 'blue'): number => (one[name] + other[name]) / 2;
  return { red: part('red'), green: part('green'), blue: part('blue'), alpha: 255 };
};

const WHITE: Paint = { red: 255, green: 255, blue: 255, alpha: 255 };

/** Colours by frequency, the most frequent first: of the border, or of the whole image. At least one. */
function predominant({ width, height, pixels }: Frame, everywhere: boolean): [Paint, ...Paint[]] {
  interface Group {
    count: number;
    red: number;
    green: number;
    blue: number;
  }
  const groups = new Map<number, Group>();
  const visit = (x: number, y: number): void => {
    const at = (y * width + x) * 4;
    const [red = 0, green = 0, blue = 0, alpha = 0] = pixels.subarray(at, at + 4);
    if (alpha < 128) return;
    const shift = 8 - GROUP_BITS;
    const key = ((red >> shift) << (2 * GROUP_BITS)) | ((green >> shift) << GROUP_BITS) | (blue >> shift);
    const group = groups.get(key) ?? { count: 0, red: 0, green: 0, blue: 0 };
    group.count += 1;
    group.red += red;
    group.green += green;
    group.blue += blue;
    groups.set(key, group);
  };
  const step = everywhere ? Math.max(1, Math.floor(Math.sqrt((width * height) / 40_000))) : 1;
  for (let y = 0; y < height; y += step) {
    for (let x = 0; x < width; x += step) {
      if (everywhere || y === 0 || x === 0 || y === height - 1 || x === width - 1) visit(x, y);
      // Between its ends, an inner row has no border pixel.
      else x = width - 2;
    }
  }
  const [largest, ...others] = [...groups.values()]
    .sort((one, other) => other.count - one.count)
    .map(({ count, red, green, blue }): Paint => ({
      red: Math.round(red / count),
      green: Math.round(green / count),
      blue: Math.round(blue / count),
      alpha: 255,
    }));
  return largest ? [largest, ...others] : [WHITE];
}

const contrasting = ({ red, green, blue }: Paint): Paint => {
  const shade = luma(red, green, blue) < 128 ? 255 : 0;
  return { red: shade, green: shade, blue: shade, alpha: 255 };
};
