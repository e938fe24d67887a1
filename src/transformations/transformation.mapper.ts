import { type LayerAssets, MappedStep } from './mapped-step.js';
import { InvalidTransformationError } from './transformation.errors.js';

export type { LayerAsset } from './asset-layer.js';

/** Steps that a token carries at most. */
export const MAX_STEPS = 32;
/** Overlays and underlays of one chain, texts included. */
export const MAX_LAYERS = 10;

/** A token's steps, checked and put in the SDK's order; only its rows are still to be found. */
export class MappedChain {
  constructor(
    readonly steps: readonly MappedStep[],
    /** Rows to find before anything is written: distinct UUIDs, lower case. */
    readonly overlayIds: readonly string[],
  ) {}

  /**
   * The components, in order, without empty ones.
   * @throws {InvalidTransformationError} 422 as `MappedStep.component` does.
   */
  components(overlays: LayerAssets): readonly string[] {
    return this.steps.map((step) => step.component(overlays)).filter((component) => component !== '');
  }

  /** The same as it stands in a URL: each component with a `/` behind it. */
  path(overlays: LayerAssets): string {
    let path = '';
    for (const step of this.steps) {
      const component = step.component(overlays);
      if (component !== '') path += `${component}/`;
    }
    return path;
  }
}

const NO_IDS: readonly string[] = [];
const EMPTY = new MappedChain([], NO_IDS);

/** Turns a token's `transformations` into the components of Cloudinary's URL. Pure: it finds no row and no image. */
export class TransformationMapper {
  /**
   * @param transformations The claim as it came: steps in order, each an object of the SDK's parameters.
   * @param numbers Of each step, the number by which it is named; its place, from 1, where there is none. Several steps
   * may stand for one of the token's.
   * @param lenient Whether unknown keys that resemble known ones are ignored, instead of refused.
   * @throws {InvalidTransformationError} 422 naming step, key, value and the allowed range.
   */
  map(transformations: unknown, numbers: readonly number[] = [], lenient = false): MappedChain {
    if (transformations === undefined) {
      return EMPTY;
    }
    if (!Array.isArray(transformations) || transformations.length > MAX_STEPS) {
      throw new InvalidTransformationError({
        key: 'transformations',
        value: transformations,
        allowed: `an array of at most ${MAX_STEPS} steps`,
      });
    }
    let layers = 0;
    const steps = transformations.map((source: unknown, index) => {
      const step = MappedStep.read(source, numbers[index] ?? index + 1, lenient);
      layers += step.layers;
      if (layers > MAX_LAYERS) refuseLayer(step);
      return step;
    });
    if (layers > 0) findStepsOnLayers(steps);
    let overlayIds = NO_IDS;
    for (const step of steps) {
      step.settle();
      overlayIds = step.withRowIds(overlayIds);
    }
    return new MappedChain(steps, overlayIds);
  }
}

function refuseLayer(step: MappedStep): never {
  throw new InvalidTransformationError({
    step: step.step,
    key: step.values().has('l') ? 'overlay' : 'underlay',
    allowed: `at most ${MAX_LAYERS} layers in all steps together`,
  });
}

/**
 * Steps that act on a layer are those that have one, and those from a layer to the `layer_apply` that closes it, as in
 * `l_logo/c_scale,fl_relative,w_0.3/fl_layer_apply.tiled`
 * (https://cloudinary.com/documentation/layers#layer_transformation_syntax). Layers nest like brackets.
 */
function findStepsOnLayers(steps: readonly MappedStep[]): void {
  for (const step of steps) {
    if (step.layers > 0) step.actOnLayer();
  }
  if (!steps.some((step) => step.appliesLayer)) return;
  const open: number[] = [];
  for (const [index, step] of steps.entries()) {
    if (step.layers > 0) open.push(index);
    if (!step.appliesLayer) continue;
    for (const inside of steps.slice(open.pop() ?? index + 1, index + 1)) inside.actOnLayer();
  }
}
