import type { Component } from '../chain/component.js';
import type { Size } from './box.js';
import { readBorder } from './border.js';
import { withoutQualifiers } from './effects/qualifiers.js';
import { planGeometry } from './geometry.js';
import { RenderError } from './render.errors.js';
import { needsRotation, readTurns, turnedSize } from './rotate.js';
import { boxOf, limitedForRotation, measuresOf, type TransformContext } from './transform.js';

/** Effects after which the size depends on the pixels or on the effect's own arithmetic. */
const RESIZING_EFFECT = /^(?:trim|shadow|outline|distort|shear)(?:$|:)/;

/** Pixels of one frame that components start from, and how many of them that covers. */
export interface Foresight {
  readonly pixels: number;
  readonly components: number;
}

/**
 * Sums what components start from, up to the first after which the size is not known beforehand. It is never more than
 * what they then do start from.
 */
export function foresee(components: readonly Component[], from: Size, context: TransformContext): Foresight {
  let pixels = 0;
  let size = from;
  for (const [index, component] of components.entries()) {
    pixels += size.width * size.height;
    const next = sizeAfter(component, size, context);
    if (next === undefined) return { pixels, components: index + 1 };
    size = next;
  }
  return { pixels, components: components.length };
}

/** The size of an image after a component; undefined where only rendering gives it. */
function sizeAfter(complete: Component, from: Size, context: TransformContext): Size | undefined {
  if (RESIZING_EFFECT.test(complete.values.get('e') ?? '')) return undefined;
  const component = withoutQualifiers(complete);
  try {
    const turns = readTurns(component, boxOf(component, from, context), measuresOf(from, context));
    const turned = turns.before.reduce(turnedSize, from);
    const { cut, resize, crop, canvas } = planGeometry(component, turned, boxOf(component, turned, context));
    // A point may place a window partly outside of the image.
    const { values } = component;
    if (cut && (values.has('x') || values.has('y') || values.get('g') === 'xy_center')) return undefined;
    const part = cut && {
      width: Math.min(cut.width, turned.width),
      height: Math.min(cut.height, turned.height),
    };
    const shaped = canvas ?? crop ?? resize ?? part ?? turned;
    const rotated = turns.after.reduce(
      turnedSize,
      needsRotation(turns.after) ? limitedForRotation(shaped) : shaped,
    );
    const border = component.values.get('bo');
    if (border === undefined) return rotated;
    const { width } = readBorder(border);
    return { width: rotated.width + 2 * width, height: rotated.height + 2 * width };
  } catch (error) {
    // Rendering refuses it, with what precedes it.
    if (error instanceof RenderError) return undefined;
    throw error;
  }
}
