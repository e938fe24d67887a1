import { RenderError } from '../render.errors.js';

/** Whole pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** The top left corner of one box within another. */
export interface Corner {
  readonly left: number;
  readonly top: number;
}

/** Fraction of the free space before the placed box, and the direction of an offset. */
interface Anchor {
  readonly share: 0 | 0.5 | 1;
  readonly direction: 1 | -1;
}

const START: Anchor = { share: 0, direction: 1 };
const MIDDLE: Anchor = { share: 0.5, direction: 1 };
const END: Anchor = { share: 1, direction: -1 };

/**
 * An offset points inwards from the edge that the gravity names; from the center it points right and down
 * (https://cloudinary.com/documentation/layers#layer_placement).
 */
const COMPASS: ReadonlyMap<string, readonly [horizontal: Anchor, vertical: Anchor]> = new Map([
  ['north_west', [START, START]],
  ['north', [MIDDLE, START]],
  ['north_east', [END, START]],
  ['west', [START, MIDDLE]],
  ['center', [MIDDLE, MIDDLE]],
  ['east', [END, MIDDLE]],
  ['south_west', [START, END]],
  ['south', [MIDDLE, END]],
  ['south_east', [END, END]],
]);

/** Gravities that depend on content; faces and objects are not detected here. */
const CONTENT = /^(?:adv_|auto|body|custom|face|faces|liquid|object|ocr_text)/;

/** Whether a layer is left out of an image without a face: no face is detected here (transformation_reference#g_face). */
export const isLeftOut = (gravity: string): boolean => /^(?:adv_)?faces?$/.test(gravity);

/** Whether a layer's gravity depends on content and is replaced by the center; the header reports it. */
export const fallsBackToCenter = (gravity: string): boolean => !COMPASS.has(gravity) && CONTENT.test(gravity);

/**
 * The position of a box within another, by gravity and offset. It may exceed the outer one.
 * @throws RenderError 400 for a gravity that no layer can have.
 */
export function place(outer: Size, inner: Size, gravity: string, x: number, y: number): Corner {
  if (gravity === 'xy_center') {
    return { left: Math.round(x - inner.width / 2), top: Math.round(y - inner.height / 2) };
  }
  const anchors = COMPASS.get(fallsBackToCenter(gravity) ? 'center' : gravity);
  if (!anchors) throw new RenderError(400, `Gravity not supported for a layer: ${gravity}`);
  const [horizontal, vertical] = anchors;
  return {
    left: Math.round((outer.width - inner.width) * horizontal.share + x * horizontal.direction),
    top: Math.round((outer.height - inner.height) * vertical.share + y * vertical.direction),
  };
}
