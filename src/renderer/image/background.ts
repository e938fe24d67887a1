import type { Approximations } from './approximations.js';
import type { Size } from './box.js';
import { type Paint, parsePaint } from './effects/paint.js';
import { blurred, luma, mapChannels, table } from './effects/pixels.js';
import { draw } from './layers/blend.js';
import type { Frame } from './raster-image.js';
import { RenderError } from './render.errors.js';
import { extract, resize } from './reshape.js';

/** The fill of transparent areas, and of a canvas that is larger than the image. */
export type Background =
  | { readonly kind: 'paint'; readonly paint: Paint }
  | { readonly kind: 'blurred'; readonly sigma: number; readonly brightness: number };

/** A frame of one colour. */
export function filled({ width, height }: Size, { red, green, blue, alpha }: Paint): Frame {
  return { width, height, pixels: Buffer.alloc(width * height * 4, Buffer.from([red, green, blue, alpha])) };
}

/**
 * Reads `b` for an image before it is padded.
 * @param firstFrame The image's pixels, for a colour that depends on them.
 * @throws {RenderError} 400 for gradients and generated backgrounds.
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
  if (value.includes('gradient'))
    throw new RenderError(400, `Background ${value} is not supported: gradients`);
  notes.add(`b_${value}: predominant colour`);
  return { kind: 'paint', paint: automaticPaint(value, await firstFrame()) };
}

/** The frame on an opaque background. */
export function flatten(frame: Frame, paint: Paint): Frame {
  if (paint.alpha === 0) return frame;
  const canvas = filled(frame, paint);
  draw(canvas, frame, 0, 0);
  return canvas;
}

/** The frame, blurred and scaled to cover a canvas: the padding of `b_blurred`. */
export async function blurredBackdrop(
  frame: Frame,
  canvas: Size,
  { sigma, brightness }: { readonly sigma: number; readonly brightness: number },
): Promise<Frame> {
  const factor = Math.max(canvas.width / frame.width, canvas.height / frame.height);
  const size = {
    width: Math.max(canvas.width, Math.round(frame.width * factor)),
    height: Math.max(canvas.height, Math.round(frame.height * factor)),
  };
  const covering = extract(await resize(frame, size), {
    ...canvas,
    left: Math.floor((size.width - canvas.width) / 2),
    top: Math.floor((size.height - canvas.height) / 2),
  });
  const soft = await blurred(covering, sigma);
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
  const found = predominant(frame, value.includes('predominant'));
  const palette = /:palette_(.+)$/.exec(value)?.[1]?.split('_').map(parsePaint) ?? [];
  const paint = value.includes('_contrast') ? contrasting(found) : found;
  const distance = (other: Paint): number =>
    Math.hypot(other.red - paint.red, other.green - paint.green, other.blue - paint.blue);
  return palette.sort((one, other) => distance(one) - distance(other))[0] ?? paint;
}

function predominant({ width, height, pixels }: Frame, everywhere: boolean): Paint {
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
  const largest = [...groups.values()].sort((one, other) => other.count - one.count)[0];
  if (!largest) return { red: 255, green: 255, blue: 255, alpha: 255 };
  const mean = (sum: number): number => Math.round(sum / largest.count);
  return { red: mean(largest.red), green: mean(largest.green), blue: mean(largest.blue), alpha: 255 };
}

const contrasting = ({ red, green, blue }: Paint): Paint => {
  const shade = luma(red, green, blue) < 128 ? 255 : 0;
  return { red: shade, green: shade, blue: shade, alpha: 255 };
};
