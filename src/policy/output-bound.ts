import type { ComponentValues } from '../transformations/component.js';
import { EFFECTS_THAT_KEEP_THE_SIZE } from './effect-sizes.js';

/** Pixels that neither side of a picture exceeds, whatever the original's; Infinity where nothing bounds it. */
export interface Bound {
  readonly width: number;
  readonly height: number;
}

/** A picture on its way through a chain. */
export interface Extent extends Bound {
  /**
   * Device pixels of everything so far. Multiplied over the whole chain, before and after: whichever component
   * Cloudinary applies a `dpr` to, the picture is not larger.
   */
  readonly ratio: number;
}

/** An original, or a layer, of which nothing is known. */
export const UNBOUNDED: Extent = { width: Infinity, height: Infinity, ratio: 1 };

/** The extent in pixels that are delivered. */
export const boundOf = ({ width, height, ratio }: Extent): Bound => ({
  width: width * ratio,
  height: height * ratio,
});

/**
 * How large a picture can become. An upper bound, not the size: where Cloudinary's documentation leaves room, or the
 * size depends on the original, the font or the client, the larger one counts, up to Infinity.
 * @returns the extent after each component; within a layer it is that of the picture below.
 */
export function traceExtents(start: Extent, components: readonly ComponentValues[]): readonly Extent[] {
  const extents: Extent[] = [];
  follow(start, components, closings(components), { from: 0, to: components.length }, undefined, extents);
  return extents;
}

interface Span {
  readonly from: number;
  readonly to: number;
}

function follow(
  start: Bound & { readonly ratio: number },
  components: readonly ComponentValues[],
  closedBy: ReadonlyMap<number, number>,
  { from, to }: Span,
  below: Bound | undefined,
  extents: Extent[],
): Extent {
  let picture: Bound = start;
  let { ratio } = start;
  for (let index = from; index < to; index += 1) {
    const values = components[index] ?? new Map<string, string>();
    ratio *= ratioOf(values);
    if (!values.has('l') && !values.has('u')) {
      picture = transform(picture, values, below);
    } else {
      const closing = closedBy.get(index);
      let layer = isWrappedText(values) ? UNBOUNDED : transform(UNBOUNDED, values, picture);
      if (closing !== undefined) {
        const inside = { from: index + 1, to: closing };
        const nested = { ...layer, ratio: 1 };
        const finished = follow(nested, components, closedBy, inside, picture, []);
        const closes = components[closing] ?? new Map<string, string>();
        ratio *= finished.ratio * ratioOf(closes);
        layer = transform(finished, closes, picture);
        // A size beside `fl_layer_apply` is about the layer; should it be about the picture, that is counted too.
        picture = larger(picture, transform(picture, closes, undefined));
        picture = place(picture, layer, values, closes);
        for (; index < closing; index += 1) extents.push({ ...picture, ratio });
      } else {
        picture = place(picture, layer, values, undefined);
      }
    }
    extents.push({ ...picture, ratio });
  }
  return { width: picture.width, height: picture.height, ratio };
}

/** Index of the component with `fl_layer_apply` by that of the layer it closes: they pair like brackets. */
function closings(components: readonly ComponentValues[]): ReadonlyMap<number, number> {
  const open: number[] = [];
  const closedBy = new Map<number, number>();
  for (const [index, values] of components.entries()) {
    if (values.has('l') || values.has('u')) open.push(index);
    if (!hasFlag(values, 'layer_apply')) continue;
    const opening = open.pop();
    if (opening !== undefined && opening !== index) closedBy.set(opening, index);
  }
  return closedBy;
}

/** Whether a `fl_layer_apply` closes nothing of this list, and would close what stands before it. */
export function closesForeignLayer(components: readonly ComponentValues[]): boolean {
  let open = 0;
  return components.some((values) => {
    if (values.has('l') || values.has('u')) open += 1;
    return hasFlag(values, 'layer_apply') && --open < 0;
  });
}

const hasFlag = (values: ComponentValues, ...names: readonly string[]): boolean =>
  values
    .get('fl')
    ?.split('.')
    .some((flag) => names.includes(flag)) ?? false;

/** `c_fit` of a text breaks its lines; a long word, or many, still make it larger. */
const isWrappedText = (values: ComponentValues): boolean =>
  values.get('c') === 'fit' && ['l', 'u'].some((code) => values.get(code)?.startsWith('text:') === true);

const larger = (one: Bound, other: Bound): Bound => ({
  width: Math.max(one.width, other.width),
  height: Math.max(one.height, other.height),
});
const everySide = (side: number): Bound => ({ width: side, height: side });
const longerSide = ({ width, height }: Bound): number => Math.max(width, height);

/** `dpr_auto` is what the client says. Below 1 counts as 1. */
function ratioOf(values: ComponentValues): number {
  const dpr = values.get('dpr');
  return dpr === undefined ? 1 : dpr === 'auto' ? Infinity : Math.max(1, Number(dpr));
}

/** What one component makes of a picture; `below` is what a layer's shares may be shares of. */
function transform(picture: Bound, values: ComponentValues, below: Bound | undefined): Bound {
  // Another page, another density or what is behind a name may be of any size.
  const angles = values.get('a');
  const original = ['pg', 'dn', 't'].some((code) => values.has(code)) ? UNBOUNDED : picture;
  // These turn before the crop, so that shares are of the turned picture; counted as if they turned after it too.
  const source = angles?.includes('auto_') === true ? everySide(longerSide(original)) : original;
  const whole = below !== undefined && hasFlag(values, 'relative', 'region_relative') ? below : source;
  let bound = values.has('t') ? UNBOUNDED : resize(source, whole, values);
  bound = turn(bound, angles);
  if (!keepsSize(values.get('e'))) bound = UNBOUNDED;
  const thickness = values.get('bo');
  if (thickness !== undefined) {
    const [, pixels] = /^(\d+)px_/.exec(thickness) ?? [];
    const both = pixels === undefined ? Infinity : 2 * Number(pixels);
    bound = { width: bound.width + both, height: bound.height + both };
  }
  return bound;
}

/** A side: pixels, a share of a whole, or undefined when it is not there. Arithmetic and `auto` have no end. */
function sideOf(text: string | undefined, whole: number): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text)) return Number(text);
  return /^\d+\.\d+$/.test(text) ? Math.ceil(Number(text) * whole) : Infinity;
}

/** Width by height of `ar_`, Infinity for arithmetic: then neither side follows from the other. */
function aspectOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [, width, height = '1'] = /^(\d+(?:\.\d+)?)(?::(\d+(?:\.\d+)?))?$/.exec(text) ?? [];
  return width === undefined ? Infinity : Number(width) / Number(height);
}

/** Modes that give a box with both sides exactly, or less. */
const BOXED = new Set(
  'scale fit fill pad lpad fill_pad thumb auto auto_pad imagga_crop imagga_scale'.split(' '),
);

function resize(source: Bound, whole: Bound, values: ComponentValues): Bound {
  const crop = values.get('c') ?? 'scale';
  const width = sideOf(values.get('w'), whole.width);
  const height = sideOf(values.get('h'), whole.height);
  const aspect = aspectOf(values.get('ar'));
  if (width === undefined && height === undefined) {
    // A ratio alone cuts with `crop`; with others it may pad.
    return aspect === undefined || crop === 'crop' ? source : UNBOUNDED;
  }
  const box = completed(width, height, aspect);
  // Without a second side the picture keeps its ratio, and an original may be 1 pixel wide and 5,000 high.
  const open = { width: box.width ?? Infinity, height: box.height ?? Infinity };
  switch (crop) {
    case 'limit':
      return {
        width: Math.min(source.width, open.width),
        height: Math.min(source.height, open.height),
      };
    case 'crop':
      return zoomed({ width: box.width ?? source.width, height: box.height ?? source.height }, values);
    case 'mfit':
    case 'mpad':
    case 'lfill':
      return larger(source, open);
    default:
      return BOXED.has(crop) ? zoomed(open, values) : UNBOUNDED;
  }
}

function completed(
  width: number | undefined,
  height: number | undefined,
  aspect: number | undefined,
): { readonly width: number | undefined; readonly height: number | undefined } {
  if (aspect === undefined || (width !== undefined && height !== undefined)) return { width, height };
  const known = Number.isFinite(aspect);
  return {
    width: width ?? (known ? Math.ceil((height ?? Infinity) * aspect) : Infinity),
    height: height ?? (known ? Math.ceil((width ?? Infinity) / aspect) : Infinity),
  };
}

/** A zoom below 1 shows more; it is not known to keep the box in every mode. */
function zoomed(box: Bound, values: ComponentValues): Bound {
  const zoom = values.get('z');
  if (zoom === undefined) return box;
  const factor = /^\d+(?:\.\d+)?$/.test(zoom) ? Math.max(1, 1 / Number(zoom)) : Infinity;
  return { width: Math.ceil(box.width * factor), height: Math.ceil(box.height * factor) };
}

/** A turned picture's canvas grows to hold its corners. */
function turn(bound: Bound, angles: string | undefined): Bound {
  if (angles === undefined) return bound;
  // Of an expression the dot is that of a decimal: counted as several turns, it is larger, never smaller.
  return angles.split('.').reduce<Bound>((turned, angle) => {
    if (/^(?:0|-?180|-?360|[hv]flip)$/.test(angle)) return turned;
    if (/^(?:-?90|-?270|auto_right|auto_left|ignore|exif)$/.test(angle)) {
      return everySide(longerSide(turned));
    }
    return everySide(Math.ceil(Math.hypot(turned.width, turned.height)) + 1);
  }, bound);
}

function keepsSize(effect: string | undefined): boolean {
  if (effect === undefined) return true;
  const [name = ''] = effect.split(':');
  return EFFECTS_THAT_KEEP_THE_SIZE.has(name) && !effect.includes('symmetric_pad');
}

type Anchor = 'edge' | 'middle' | 'any';

/** Where the nine points of the compass lie; every other gravity follows the picture's content. */
const ANCHORS: ReadonlyMap<string, readonly [horizontal: Anchor, vertical: Anchor]> = new Map([
  ['north_west', ['edge', 'edge']],
  ['north', ['middle', 'edge']],
  ['north_east', ['edge', 'edge']],
  ['west', ['edge', 'middle']],
  ['center', ['middle', 'middle']],
  ['east', ['edge', 'middle']],
  ['south_west', ['edge', 'edge']],
  ['south', ['middle', 'edge']],
  ['south_east', ['edge', 'edge']],
]);
const ANYWHERE = ['any', 'any'] as const;

/** A layer that sticks out makes the canvas larger, unless it is tiled or may not. */
function place(
  picture: Bound,
  layer: Bound,
  opening: ComponentValues,
  closing: ComponentValues | undefined,
): Bound {
  if ([opening, closing].some((values) => values && hasFlag(values, 'no_overflow', 'tiled'))) return picture;
  const placing = closing ?? opening;
  const gravity = placing.get('g') ?? (opening.has('g') ? 'unknown' : 'center');
  const [horizontal, vertical] = ANCHORS.get(gravity) ?? ANYWHERE;
  const apart = (code: 'x' | 'y', whole: number): readonly number[] => [
    offsetOf(placing.get(code), whole),
    // Of a layer's own crop, most likely; counted as if it moved the layer.
    closing === undefined ? 0 : Math.abs(offsetOf(opening.get(code), whole)),
  ];
  const over = (below: Bound, above: Bound): Bound => ({
    width: joined(below.width, above.width, horizontal, apart('x', below.width)),
    height: joined(below.height, above.height, vertical, apart('y', below.height)),
  });
  const canvas = over(picture, layer);
  // On an underlay it is the picture that is placed.
  return opening.has('u') ? larger(canvas, over(layer, picture)) : canvas;
}

function offsetOf(text: string | undefined, whole: number): number {
  if (text === undefined) return 0;
  if (/^-?\d+$/.test(text)) return Number(text);
  if (!/^-?\d+\.\d+$/.test(text)) return Infinity;
  const share = Number(text);
  // 0 × Infinity is no number.
  return share === 0 ? 0 : share * whole;
}

function joined(below: number, above: number, anchor: Anchor, offsets: readonly number[]): number {
  const inwards = Math.max(0, ...offsets);
  const outwards = Math.max(0, ...offsets.map((offset) => -offset));
  const offset = offsets.reduce((sum, each) => sum + Math.abs(each), 0);
  switch (anchor) {
    case 'edge':
      return Math.ceil(Math.max(below, above + (outwards > 0 ? offset : inwards)) + outwards);
    case 'middle':
      return Math.ceil(Math.max(below, above, (below + above) / 2 + offset));
    case 'any':
      return Math.ceil(below + above + offset);
  }
}
