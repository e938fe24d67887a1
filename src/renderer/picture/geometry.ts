import type { Component } from '../chain/component.js';
import { type Box, type Size, wholePixels } from './box.js';
import { RenderError } from './render.errors.js';

/** What a crop mode does to a picture, in this order; each part may be missing. Whole pixels. */
export interface Plan {
  /** A window of the picture as it is, placed by gravity and offset. */
  readonly cut?: Size;
  /** The size that this is scaled to. */
  readonly resize?: Size;
  /** A window of the scaled picture, placed by gravity. */
  readonly crop?: Size;
  /** A canvas around it; gravity says where in it the picture lies. */
  readonly canvas?: Size;
}

type Mode = (picture: Size, box: FullBox) => Plan;

/** A box with both sides, neither of them rounded. */
interface FullBox extends Size {
  readonly zoom: number;
}

const scaled = ({ width, height }: Size, factor: number): Size => ({
  width: wholePixels(width * factor),
  height: wholePixels(height * factor),
});
const rounded = (size: Size): Size => scaled(size, 1);
/** The factor at which the picture just fits in. */
const inside = (picture: Size, box: Size): number =>
  Math.min(box.width / picture.width, box.height / picture.height);
/** The factor at which the picture just covers. */
const covering = (picture: Size, box: Size): number =>
  Math.max(box.width / picture.width, box.height / picture.height);
/** The smaller side each: a window cannot be larger than what it looks at. */
const smaller = (one: Size, other: Size): Size => ({
  width: Math.min(one.width, other.width),
  height: Math.min(one.height, other.height),
});
const larger = (one: Size, other: Size): Size => ({
  width: Math.max(one.width, other.width),
  height: Math.max(one.height, other.height),
});

/** Scales to cover, and keeps the box of it. Rounding may leave a scaled side one short of the box: never shown. */
function fill(picture: Size, box: Size): Plan {
  const crop = rounded(box);
  return { resize: larger(scaled(picture, covering(picture, box)), crop), crop };
}

/** Of a side, `fill_pad` cuts off at most so much; Cloudinary decides by content, and does not say how. */
const MOST_CUT_OFF = 0.25;

/** The crop modes of https://cloudinary.com/documentation/transformation_reference#c_crop_resize. */
const MODES: ReadonlyMap<string, Mode> = new Map<string, Mode>([
  ['scale', (_, box) => ({ resize: rounded(box) })],
  ['fit', (picture, box) => ({ resize: scaled(picture, inside(picture, box)) })],
  ['limit', (picture, box) => ({ resize: scaled(picture, Math.min(1, inside(picture, box))) })],
  ['mfit', (picture, box) => ({ resize: scaled(picture, Math.max(1, inside(picture, box))) })],
  ['fill', fill],
  [
    'lfill',
    (picture, box) => {
      const factor = Math.min(1, covering(picture, box));
      const resize = scaled(picture, factor);
      return { resize, crop: smaller(rounded(box), resize) };
    },
  ],
  ['fill_pad', fillPad],
  ['auto_pad', fillPad],
  [
    'pad',
    (picture, box) => ({
      resize: smaller(scaled(picture, inside(picture, box)), rounded(box)),
      canvas: rounded(box),
    }),
  ],
  [
    'lpad',
    (picture, box) => ({
      resize: smaller(scaled(picture, Math.min(1, inside(picture, box))), rounded(box)),
      canvas: rounded(box),
    }),
  ],
  ['mpad', (picture, box) => ({ canvas: larger(picture, rounded(box)) })],
  ['crop', (_, box) => ({ cut: rounded(box) })],
  ['thumb', thumb],
  ['auto', thumb],
]);

function fillPad(picture: Size, box: Size): Plan {
  const canvas = rounded(box);
  // Between just fitting in and covering, as far as the side that sticks out keeps enough of itself.
  const factor = Math.min(covering(picture, box), inside(picture, box) / (1 - MOST_CUT_OFF));
  const resize = scaled(picture, factor);
  return { resize, crop: smaller(resize, canvas), canvas };
}

/** What `fill` keeps, or with a zoom a smaller window of the picture, at the same size. */
function thumb(picture: Size, box: FullBox): Plan {
  // Below 1 a zoom shows more around what was detected; without a detection there is no more to show.
  if (box.zoom <= 1) return fill(picture, box);
  const cut = scaled(box, 1 / (covering(picture, box) * box.zoom));
  return { cut: smaller(picture, cut), resize: rounded(box) };
}

/** Modes that show a part of the picture: their ratio is that of a window in it. */
const CROPPING = new Set(['fill', 'lfill', 'fill_pad', 'auto_pad', 'crop', 'thumb', 'auto']);

/**
 * What a component does to a picture of this size.
 * @throws {RenderError} 400 for a mode that is not there, or a zoom that would need a detection.
 */
export function planGeometry(component: Component, picture: Size, box: Box): Plan {
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
  // Coordinates alone cut from there to the far edges.
  const isOffset = isCut && (values.has('x') || values.has('y'));
  if (!isSized && !isOffset && (box.zoom <= 1 || (crop !== 'thumb' && crop !== 'auto'))) {
    // A ratio of device pixels alone scales what is there.
    return box.dpr === 1 ? {} : { resize: scaled(picture, box.dpr) };
  }
  const full = { ...complete(crop, picture, box, flags.has('ignore_aspect_ratio')), zoom: box.zoom };
  if (isCut) {
    // What is cut is what was asked for, whatever the device: its pixels are then multiplied.
    const cut = rounded(full);
    return box.dpr === 1 ? { cut } : { cut, resize: scaled(smaller(picture, cut), box.dpr) };
  }
  return mode(picture, { ...full, width: full.width * box.dpr, height: full.height * box.dpr });
}

/** Both sides of a box of which one may be missing, by its ratio or else the picture's. */
function complete(crop: string, picture: Size, box: Box, ignoresRatio: boolean): Size {
  const { width, height, ratio } = box;
  if (width !== undefined && height !== undefined) return { width, height };
  if (width === undefined && height === undefined) {
    return ratio === undefined ? picture : ofRatio(crop, picture, ratio);
  }
  // A window of a given width is as high as the picture; so is a picture whose ratio may be lost.
  const keepsOther = ratio === undefined && (crop === 'crop' || (ignoresRatio && crop === 'scale'));
  const by = ratio ?? picture.width / picture.height;
  if (width !== undefined) return { width, height: keepsOther ? picture.height : width / by };
  const known = height ?? picture.height;
  return { width: keepsOther ? picture.width : known * by, height: known };
}

/** The largest box of a ratio in the picture for a crop, else the smallest around it. */
function ofRatio(crop: string, picture: Size, ratio: number): Size {
  const byWidth = { width: picture.width, height: picture.width / ratio };
  const byHeight = { width: picture.height * ratio, height: picture.height };
  const isWide = picture.width / picture.height > ratio;
  if (crop === 'scale') return byWidth;
  return CROPPING.has(crop) === isWide ? byHeight : byWidth;
}
