import type { LayerStep } from '../chain/chain-tree.js';
import type { Component } from '../chain/component.js';
import { evaluate } from './arithmetic.js';
import { readDpr } from './box.js';
import { composeLayer, isLayerEffect, type Placement } from './layers/compose-layer.js';
import { fallsBackToCenter } from './layers/placement.js';
import { refuseTooLarge } from './limits.js';
import type { Picture } from './picture.js';
import { measuresOf, offsetOf, type TransformContext } from './transform.js';

/** What one component of a layer does: some of it changes the layer, some places it. */
export interface LayerComponents {
  /** Applied to the layer before the nested steps. */
  readonly opening: Component;
  /** Applied to the layer after them; undefined where one component opens and places. */
  readonly closing: Component | undefined;
  /** Says where and how the layer meets the picture. */
  readonly placing: Component;
}

/** Codes that place a layer and say nothing of its own pixels. */
const PLACING = ['g', 'x', 'y', 'o'] as const;
/** Codes that `renderText` has answered when the text is drawn. */
const OF_TEXT = ['co', 'b', 'bo'] as const;

/**
 * Parts a layer's components: in the one that places it, gravity, offset, opacity and a blend mode are about the
 * picture below; in one that only opens it, gravity is about its own crop
 * (https://cloudinary.com/documentation/layers#layer_transformation_syntax).
 */
export function splitLayer({ component, apply }: LayerStep): LayerComponents {
  const isText = component.layer?.kind === 'text';
  const ofText = isText ? [...OF_TEXT, ...(component.values.get('c') === 'fit' ? ['w', 'h', 'c'] : [])] : [];
  // A blend mode is about both pictures, wherever it stands.
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

/** Puts a finished layer onto a picture. @throws {RenderError} as `composeLayer` does. */
export async function placeLayer(
  base: Picture,
  layer: Picture,
  step: LayerStep,
  placing: Component,
  context: TransformContext,
): Promise<Picture> {
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
