import { RenderError } from '../image/render.errors.js';
import type { Component } from './component.js';

/** A component that changes the image it is applied to. */
export interface TransformStep {
  readonly kind: 'transform';
  readonly component: Component;
}

/** A layer, the steps that change it before it is placed, and the component that places it. */
export interface LayerStep {
  readonly kind: 'layer';
  readonly component: Component;
  readonly steps: readonly Step[];
  /** The component with `fl_layer_apply`; undefined if the opening component places the layer itself. */
  readonly apply: Component | undefined;
}

export type Step = TransformStep | LayerStep;

/**
 * Pairs `l_…` with the `fl_layer_apply` that closes it: layers nest like brackets, and an unclosed one is placed at
 * once (https://cloudinary.com/documentation/layers#layer_transformation_syntax). The mapper pairs them the same way.
 * @throws {RenderError} 400 for a `fl_layer_apply` without a layer, or a component with two layers.
 */
export function nestLayers(components: readonly Component[]): readonly Step[] {
  return nest(components, closings(components), 0, components.length);
}

/** Index of the closing component by the index of the opening one. */
function closings(components: readonly Component[]): ReadonlyMap<number, number> {
  const open: number[] = [];
  const closedBy = new Map<number, number>();
  for (const [index, { layer, flags, text, values }] of components.entries()) {
    if (values.has('l') && values.has('u')) {
      throw new RenderError(400, `An overlay and an underlay in one component ${text}`);
    }
    if (layer) open.push(index);
    if (!flags.has('layer_apply')) continue;
    const opening = open.pop();
    if (opening === undefined) {
      throw new RenderError(400, `Flag layer_apply closes no layer in component ${text}`);
    }
    if (opening !== index) closedBy.set(opening, index);
  }
  return closedBy;
}

function nest(
  components: readonly Component[],
  closedBy: ReadonlyMap<number, number>,
  from: number,
  to: number,
): readonly Step[] {
  const steps: Step[] = [];
  for (let index = from; index < to; index += 1) {
    const component = components[index];
    if (!component) continue;
    const closing = closedBy.get(index);
    if (!component.layer) {
      steps.push({ kind: 'transform', component });
    } else if (closing === undefined) {
      steps.push({ kind: 'layer', component, steps: [], apply: undefined });
    } else {
      steps.push({
        kind: 'layer',
        component,
        steps: nest(components, closedBy, index + 1, closing),
        apply: components[closing],
      });
      index = closing;
    }
  }
  return steps;
}
