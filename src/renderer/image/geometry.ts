import type { Component } from '../chain/component.js';
import { type Box, type Size, wholePixels } from './box.js';
import { RenderError } from './render.errors.js';

/** The operations of a crop mode, in this order; each is optional. Whole pixels. */
export interface Plan {
  /** A window of the unscaled image, placed by gravity and offset. */
  readonly cut?: Size;
  /** The size to scale to. */
  readonly resize?: Size;
  /** A window of the scaled image, placed by gravity. */
  readonly crop?: Size;
  /** A canvas around it, on which gravity places the image. */
  readonly canvas?: Size;
}

type Mode = (image: Size, box: FullBox) => Plan;

/** A box with both sides, not rounded. */
interface FullBox extends Size {
  readonly zoom: number;
}

const scaled = ({ width, height }: Size, factor: number): Size => ({
  width: wholePixels(width * factor),
  height: wholePixels(height * factor),
});
const rounded = (size: Size): Size => scaled(size, 1);
/** The factor at which the image just fits. */
const inside = (image: Size, box: Size): number =>
  Math.min(box.width / image.width, box.height / image.height);
/** The factor at which the image just covers. */
const covering = (image: Size, box: Size): number =>
  Math.max(box.width / image.width, box.height / image.height);
/** The smaller of each side: a window cannot be larger than its image. */
const smaller = (one: Size, other: Size): Size => ({
  width: Math.min(one.width, other.width),
  height: Math.min(one.height, other.height),
});
const larger = (one: Size, other: Size): Size => ({
  width: Math.max(one.width, other.width),
  height: Math.max(one.height, other.height),
});

/** Scales to cover, then crops. Rounding may leave a scaled side one pixel short, which is never visible. */
function fill(image: Size, box: Size): Plan {
  const crop = rounded(box);
  return { resize: larger(scaled(image, covering(image, box)), crop), crop };
}

/** The maximum fraction of a side that `fill_pad` cuts off; Cloudinary decides by content, by an undocumented rule. */
const MAX_CUT_OFF = 0.25;

/** The crop modes of https://cloudinary.com/documentation/transformation_reference#c_crop_resize. */
const MODES: ReadonlyMap<string, Mode> = new Map<string, Mode>([
  ['scale', (_, box) => ({ resize: rounded(box) })],
  ['fit', (image, box) => ({ resize: scaled(image, inside(image, box)) })],
  ['limit', (image, box) => ({ resize: scaled(image, Math.min(1, inside(image, box))) })],
  ['mfit', (image, box) => ({ resize: scaled(image, Math.max(1, inside(image, box))) })],
  ['fill', fill],
  [
    'lfill',
    (image, box) => {
      const factor = Math.min(1, covering(image, box));
      const resize = scaled(image, factor);
      return { resize, crop: smaller(rounded(box), resize) };
    },
  ],
  ['fill_pad', fillPad],
  ['auto_pad', fillPad],
  [
    'pad',
    (image, box) => ({
      resize: smaller(scaled(image, inside(image, box)), rounded(box)),
      canvas: rounded(box),
    }),
  ],
  [
    'lpad',
    (image, box) => ({
      resize: smaller(scaled(image, Math.min(1, inside(image, box))), rounded(box)),
      canvas: rounded(box),
    }),
  ],
  ['mpad', (image, box) => ({ canvas: larger(image, rounded(box)) })],
  ['crop', (_, box) => ({ cut: rounded(box) })],
  ['thumb', thumb],
  ['auto', thumb],
]);

function fillPad(image: Size, box: Size): Plan {
  const canvas = rounded(box);
  // Between fitting and covering, as far as the longer side keeps enough of itself.
  const factor = Math.min(covering(image, box), inside(image, box) / (1 - MAX_CUT_OFF));
  const resize = scaled(image, factor);
  return { resize, crop: smaller(resize, canvas), canvas };
}

/** The window of `fill` or, with a zoom, a smaller one, at the same size. */
function thumb(image: Size, box: FullBox): Plan {
  // A zoom below 1 shows more around the detected region; nothing is detected here.
  if (box.zoom <= 1) return fill(image, box);
  const cut = scaled(box, 1 / (covering(image, box) * box.zoom));
  return { cut: smaller(image, cut), resize: rounded(box) };
}

/** Modes that show a part of the image: their ratio is that of a window in it. */
const CROPPING = new Set(['fill', 'lfill', 'fill_pad', 'auto_pad', 'crop', 'thumb', 'auto']);

/**
 * The operations of a component on an image of this size.
 * @throws {RenderError} 400 for an unsupported mode, or a zoom that would need a detection.
 */
export function planGeometry(component: Component, image: Size, box: Box): Plan {
  const { values, flags } = component;
  const crop = values.get('c') ?? 'scale';
  const mode = MODES.get(crop);
  if (!mode) throw new RenderError(400, `Crop mode ${crop} is not supported in component ${component.text}`);
  const isCut = crop === 'crop';
  const isSized = box.width !== undefined || box.height !== undefined || box.ratio !== undefined;
  if (!isSized && isCut && box.zoom !== 1) {
    throw new RenderError(
      400,
      `Zoom without a size needs detected coordinates in component ${component.text}`,
    );
  }
  // Coordinates without a size cut from there to the far edges.
  const isOffset = isCut && (values.has('x') || values.has('y'));
  if (!isSized && !isOffset && (box.zoom <= 1 || (crop !== 'thumb' && crop !== 'auto'))) {
    // A device pixel ratio without a size scales the image.
    return box.dpr === 1 ? {} : { resize: scaled(image, box.dpr) };
  }
  const full = { ...complete(crop, image, box, flags.has('ignore_aspect_ratio')), zoom: box.zoom };
  if (isCut) {
    // The window does not depend on the device: its pixels are multiplied afterwards.
    const cut = rounded(full);
    return box.dpr === 1 ? { cut } : { cut, resize: scaled(smaller(image, cut), box.dpr) };
  }
  return mode(image, { ...full, width: full.width * box.dpr, height: full.height * box.dpr });
}

/** Completes a box with one side, by its ratio or else the image's. */
function complete(crop: string, image: Size, box: Box, ignoresRatio: boolean): Size {
  const { width, height, ratio } = box;
  if (width !== undefined && height !== undefined) return { width, height };
  if (width === undefined && height === undefined) {
    return ratio === undefined ? image : ofRatio(crop, image, ratio);
  }
  // A window of a given width has the image's height; so has a `scale` that may change the ratio.
  const keepsOther = ratio === undefined && (crop === 'crop' || (ignoresRatio && crop === 'scale'));
  const by = ratio ?? image.width / image.height;
  if (width !== undefined) return { width, height: keepsOther ? image.height : width / by };
  const known = height ?? image.height;
  return { width: keepsOther ? image.width : known * by, height: known };
}

/** The largest box of a ratio in the image for a crop, else the smallest around it. */
function ofRatio(crop: string, image: Size, ratio: number): Size {
  const byWidth = { width: image.width, height: image.width / ratio };
  const byHeight = { width: image.height * ratio, height: image.height };
  const isWide = image.width / image.height > ratio;
  if (crop === 'scale') return byWidth;
  return CROPPING.has(crop) === isWide ? byHeight : byWidth;
}
