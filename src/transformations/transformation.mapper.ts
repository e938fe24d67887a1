import { type LayerAssets, MappedStep } from './mapped-step.js';
import { InvalidTransformationError } from './transformation.errors.js';

export type { LayerAsset } from './asset-layer.js';

/** Maximum number of steps in a token. */
export const MAX_STEPS = 32;
/** Maximum number of overlays and underlays in a chain, including texts. */
export const MAX_LAYERS = 10;

/** A token's steps, checked and in the SDK's order; only its rows are not loaded yet. */
export class MappedChain {
  constructor(
    readonly steps: readonly MappedStep[],
    /** Rows to load before anything is written: distinct UUIDs, in lower case. */
    readonly overlayIds: readonly string[],
  ) {}

  /**
   * The components, in order, without empty ones.
   * @throws {InvalidTransformationError} 422 as `MappedStep.component` does.
   */
  components(overlays: LayerAssets): readonly string[] {
    return this.steps.map((step) => step.component(overlays)).filter((component) => component !== '');
  }

  /** The same as it appears in a URL: each component followed by `/`. */
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

/** Turns a token's `transformations` into the components of Cloudinary's URL. Pure: it loads no rows or images. */
export class TransformationMapper {
  /**
   * @param transformations The claim as received: steps in order, each an object of the SDK's parameters.
   * @param numbers For each step, its number in errors (default: its position, from 1). Several steps may share the
   *   number of a token's step.
   * @param lenient Whether unknown keys that resemble known ones are ignored instead of refused.
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
 * A step acts on a layer if it has one, or if it is between a layer and the `layer_apply` that closes it, as in
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
