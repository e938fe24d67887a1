import { setImmediate } from 'node:timers/promises';
import { DEFAULT_LIMITS, refuseTooLarge } from '../limits.js';
import { type Frame, mapFrames, type RasterImage } from '../raster-image.js';
import { RenderError } from '../render.errors.js';
import { enlarged, luma, mapAlpha } from '../effects/pixels.js';
import { roughened } from './anti-removal.js';
import { BLENDS, draw, NORMAL } from './blend.js';
import { type Corner, place } from './placement.js';

/** How the applying component places a layer on an image. */
export interface Placement {
  /** `center` by default; `north_west` when tiled. */
  readonly gravity?: string;
  /** Pixels inwards from the gravity's edge. */
  readonly x?: number;
  readonly y?: number;
  /** Per cent, 0 to 100. */
  readonly opacity?: number;
  /** Names without arguments. */
  readonly flags: ReadonlySet<string>;
  /** Below the image instead of above. */
  readonly under: boolean;
  /** An effect for which `isLayerEffect` holds. */
  readonly effect?: string;
  /** Maximum pixels of the result, in all frames. */
  readonly maxPixels?: number;
}

/** Makes pixels of the base transparent by the layer's: the fraction of 0 to 255 that stays. */
type Stencil = (alpha: number, red: number, green: number, blue: number) => number;

/** Cutting effects: areas outside the layer are transparent. */
const STENCILS: ReadonlyMap<string, Stencil> = new Map<string, Stencil>([
  // "Whenever the overlay image is opaque, the original is shown, and wherever the overlay is transparent, the
  // result will be transparent as well" (transformation_reference#fl_cutter).
  ['cutter', (alpha) => alpha],
  // The opposite (transformation_reference#e_cut_out).
  ['cut_out', (alpha) => 255 - alpha],
  // White shows, black hides (transformation_reference#e_mask).
  ['mask', (alpha, red, green, blue) => (luma(red, green, blue) * alpha) / 255],
]);

const nameOf = (effect: string): string => effect.split(':', 1)[0] ?? effect;

/**
 * Whether an effect defines how a layer is combined with the image below; every other effect changes the layer's own
 * pixels.
 */
export const isLayerEffect = (effect: string): boolean => {
  const name = nameOf(effect);
  return BLENDS.has(name) || name === 'mask' || name === 'cut_out' || name === 'anti_removal';
};

const withOpacity = (layer: Frame, opacity: number): Frame =>
  opacity >= 100 ? layer : mapAlpha(layer, (alpha) => (alpha * Math.max(0, opacity)) / 100);

/** The layer at the base's size, repeated in all directions from its position. */
function tiled(base: Frame, tile: Frame, { left, top }: Corner): Frame {
  const pixels = Buffer.allocUnsafe(base.pixels.length);
  const shift = (((-left % tile.width) + tile.width) % tile.width) * 4;
  const tileRow = tile.width * 4;
  const row = base.width * 4;
  for (let y = 0; y < base.height; y += 1) {
    const from = ((((y - top) % tile.height) + tile.height) % tile.height) * tileRow;
    const target = y * row;
    // The first piece starts in the middle of a tile, the others are whole ones.
    let done = Math.min(tileRow - shift, row);
    tile.pixels.copy(pixels, target, from + shift, from + shift + done);
    while (done < row) {
      const piece = Math.min(tileRow, row - done);
      tile.pixels.copy(pixels, target + done, from, from + piece);
      done += piece;
    }
  }
  return { width: base.width, height: base.height, pixels };
}

function cut(base: Frame, layer: Frame, { left, top }: Corner, stencil: Stencil): Frame {
  const pixels = Buffer.from(base.pixels);
  for (let y = 0, at = 3; y < base.height; y += 1) {
    const row = y - top;
    for (let x = 0; x < base.width; x += 1, at += 4) {
      const column = x - left;
      const inside = row >= 0 && row < layer.height && column >= 0 && column < layer.width;
      const from = (row * layer.width + column) * 4;
      const { pixels: shape } = layer;
      const stays = inside
        ? stencil(shape[from + 3] ?? 0, shape[from] ?? 0, shape[from + 1] ?? 0, shape[from + 2] ?? 0)
        : stencil(0, 0, 0, 0);
      pixels[at] = Math.round(((pixels[at] ?? 0) * stays) / 255);
    }
  }
  return { width: base.width, height: base.height, pixels };
}

/** Refuses flags that this renderer does not support; none is silently ignored. */
function refuseUnsupported(flags: ReadonlySet<string>, effect: string | undefined): void {
  if (flags.has('region_relative')) {
    throw new RenderError(
      400,
      'Flag not supported: region_relative (there are no detected or custom regions)',
    );
  }
  if (flags.has('replace_image')) {
    throw new RenderError(400, 'Flag not supported: replace_image (it acts on embedded images of a PDF)');
  }
  if (effect !== undefined && !isLayerEffect(effect)) {
    throw new RenderError(400, `Effect not supported for placing a layer: ${nameOf(effect)}`);
  }
}

/**
 * Places a layer above or below each frame of an image. The canvas grows if the layer exceeds it, except with
 * `no_overflow`, for a tiled layer, and for one that only cuts. An animated layer shows its first frame.
 * @throws RenderError 400 for a gravity, flag or effect that no layer has, or a canvas above the pixel limit.
 */
export async function composeLayer(
  base: RasterImage,
  layer: RasterImage,
  placement: Placement,
): Promise<RasterImage> {
  const { flags, effect, under, x = 0, y = 0, opacity = 100 } = placement;
  refuseUnsupported(flags, effect);
  const [still] = base.frames;
  const isTiled = flags.has('tiled');
  const gravity = placement.gravity ?? (isTiled ? 'north_west' : 'center');
  const stencil = STENCILS.get(flags.has('cutter') ? 'cutter' : nameOf(effect ?? ''));
  const mode = BLENDS.get(nameOf(effect ?? '')) ?? NORMAL;
  let [top] = layer.frames;
  if (effect !== undefined && nameOf(effect) === 'anti_removal') {
    top = roughened(top, Number(effect.split(':')[1] ?? 50));
  }
  top = withOpacity(top, opacity);

  // For an underlay, the image is placed on the layer (https://cloudinary.com/documentation/layers#image_underlays).
  const placed = under && !isTiled ? place(top, still, gravity, x, y) : place(still, top, gravity, x, y);
  let corner: Corner = under && !isTiled ? { left: 0 - placed.left, top: 0 - placed.top } : placed;
  if (isTiled) {
    top = tiled(still, top, corner);
    corner = { left: 0, top: 0 };
  }
  const sticksOut =
    corner.left < 0 ||
    corner.top < 0 ||
    corner.left + top.width > still.width ||
    corner.top + top.height > still.height;
  if (sticksOut && flags.has('text_disallow_overflow')) {
    throw new RenderError(400, 'Text layer exceeds the image boundaries');
  }
  if (stencil) return mapFrames(base, (frame) => cut(frame, top, corner, stencil));

  const grows = sticksOut && !flags.has('no_overflow');
  const left = grows ? Math.max(0, -corner.left) : 0;
  const above = grows ? Math.max(0, -corner.top) : 0;
  const width = grows ? left + Math.max(still.width, corner.left + top.width) : still.width;
  const height = grows ? above + Math.max(still.height, corner.top + top.height) : still.height;
  if (grows) refuseTooLarge(width, height, base.frames.length, placement.maxPixels ?? DEFAULT_LIMITS.pixels);
  return mapFrames(base, async (frame) => {
    // Loops over pixels block the thread; other tasks run between frames, such as a deadline's timer.
    if (base.frames.length > 1) await setImmediate();
    const at = { left: corner.left + left, top: corner.top + above };
    if (under) {
      const canvas: Frame = { width, height, pixels: Buffer.alloc(width * height * 4) };
      draw(canvas, top, at.left, at.top);
      draw(canvas, frame, left, above, mode);
      return canvas;
    }
    const canvas = enlarged(frame, width, height, left, above);
    draw(canvas, top, at.left, at.top, mode);
    return canvas;
  });
}
