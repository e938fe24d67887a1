import type { LayerStep } from '../chain/chain-tree.js';
import type { Component } from '../chain/component.js';
import { evaluate } from './arithmetic.js';
import { readDpr } from './box.js';
import { composeLayer, isLayerEffect, type Placement } from './layers/compose-layer.js';
import { fallsBackToCenter } from './layers/placement.js';
import { refuseTooLarge } from './limits.js';
import type { RasterImage } from './raster-image.js';
import { measuresOf, offsetOf, type TransformContext } from './transform.js';

/** The parts of a layer's components: some change the layer, some place it. */
export interface LayerComponents {
  /** Applied to the layer before the nested steps. */
  readonly opening: Component;
  /** Applied to the layer after them; undefined if one component opens and places. */
  readonly closing: Component | undefined;
  /** Where and how the layer is placed on the image. */
  readonly placing: Component;
}

/** Codes that place a layer and do not change its pixels. */
const PLACING = ['g', 'x', 'y', 'o'] as const;
/** Codes that `renderText` applies when it draws the text. */
const APPLIED_BY_TEXT = ['co', 'b', 'bo'] as const;

/**
 * Splits a layer's components: in the one that places it, gravity, offset, opacity and a blend mode refer to the image
 * below; in one that only opens it, gravity refers to its own crop
 * (https://cloudinary.com/documentation/layers#layer_transformation_syntax).
 */
export function splitLayer({ component, apply }: LayerStep): LayerComponents {
  const isText = component.layer?.kind === 'text';
  const ofText = isText
    ? [...APPLIED_BY_TEXT, ...(component.values.get('c') === 'fit' ? ['w', 'h', 'c'] : [])]
    : [];
  // A blend mode refers to both images, in either component.
  const apart = ({ values }: Component): readonly string[] =>
    isLayerEffect(values.get('e') ?? '') ? ['e'] : [];
  return apply
    ? {
        opening: without(component, [...ofText, ...apart(component)]),
        closing: without(apply, [...PLACING, ...apart(apply)]),
        placing: apply,
      }
    : {
        opening: without(component, [...PLACING, ...ofText, ...apart(component)]),
        closing: undefined,
        placing: component,
      };
}

function without(component: Component, codes: readonly string[]): Component {
  const values = new Map([...component.values].filter(([code]) => !codes.includes(code)));
  return { ...component, values };
}

/** Places a finished layer on an image. @throws {RenderError} as `composeLayer` does. */
export async function placeLayer(
  base: RasterImage,
  layer: RasterImage,
  step: LayerStep,
  placing: Component,
  context: TransformContext,
): Promise<RasterImage> {
  const { values } = placing;
  const [gravity, opacity] = [values.get('g'), values.get('o')];
  const effect = [values.get('e'), step.component.values.get('e')].find((each) => isLayerEffect(each ?? ''));
  const { x, y } = offsetOf(placing, base.frames[0], context, readDpr(placing));
  const flags = new Set([...step.component.flags.keys(), ...placing.flags.keys()]);
  if (gravity !== undefined && fallsBackToCenter(gravity))
    context.notes.add(`g_${gravity} of a layer: center`);
  const placement: Placement = {
    ...(gravity === undefined ? {} : { gravity }),
    ...(x === undefined ? {} : { x }),
    ...(y === undefined ? {} : { y }),
    ...(opacity === undefined ? {} : { opacity: evaluate(opacity, measuresOf(base.frames[0], context)) }),
    ...(effect === undefined ? {} : { effect }),
    flags,
    under: step.component.layer?.under ?? false,
  };
  const result = await composeLayer(base, layer, placement);
  const [{ width, height }] = result.frames;
  refuseTooLarge(width, height, result.frames.length, context.limits.pixels);
  return result;
}
