import { type LayerAsset, LAYER_PUBLIC_ID_ALLOWED, readRowId, writeAssetLayer } from './asset-layer.js';
import { type ComponentValues, valuesOf } from './component.js';
import { readFlags, type UsedFlag } from './flags.js';
import { isPlainObject } from './grammar.js';
import { writeTextLayer } from './text-layer.js';
import { InvalidTransformationError } from './transformation.errors.js';
import { type Parameter, PARAMETER_BY_KEY, reasonToIgnore } from './vocabulary.js';

export type { LayerAsset } from './asset-layer.js';

/** Steps that a token carries at most. */
export const MAX_STEPS = 32;
/** Overlays and underlays of one chain, texts included. */
export const MAX_LAYERS = 10;

/** A key of a step, or a part of its value, that has no effect. */
export interface IgnoredKey {
  readonly key: string;
  /** A short sentence without a subject: "unknown parameter". */
  readonly reason: string;
}

/** A step that is in the vocabulary. */
export interface MappedStep {
  /** 1-based; steps that one step of the token stands for have its number. */
  readonly step: number;
  readonly ignored: readonly IgnoredKey[];
  /** What the component says, by short code; the id of its row where an asset is not resolved yet. */
  values(): ComponentValues;
  /**
   * The step as Cloudinary's component, '' when nothing of it maps.
   * @param overlays Rows by lower-case id; every one of the chain's `overlayIds` is there.
   * @throws {InvalidTransformationError} 422 when a row cannot be used where the step uses it.
   */
  component(overlays: ReadonlyMap<string, LayerAsset>): string;
}

/** A token's steps, checked and put in the SDK's order; only its rows are still to be found. */
export interface MappedChain {
  readonly steps: readonly MappedStep[];
  /** Rows to find before `components`: distinct UUIDs, lower case. */
  readonly overlayIds: readonly string[];
  /**
   * The components, in order, without empty ones.
   * @throws {InvalidTransformationError} 422 as `MappedStep.component` does.
   */
  components(overlays: ReadonlyMap<string, LayerAsset>): readonly string[];
}

/** A parameter of a component: written already, or waiting for its row. */
interface Part {
  readonly code: string;
  readonly written: string | RowPart;
}

interface RowPart {
  readonly parameter: Parameter;
  readonly id: string;
}

/** A step between reading and writing: whether its flags act depends on the steps around it. */
interface Draft {
  readonly ignored: IgnoredKey[];
  /** In the order of their codes, none twice; the flags join them last. */
  readonly parts: Part[];
  flags: readonly UsedFlag[];
  layers: number;
}

class Step implements MappedStep {
  constructor(
    readonly step: number,
    readonly ignored: readonly IgnoredKey[],
    private readonly parts: readonly Part[],
  ) {}

  values(): ComponentValues {
    return valuesOf(
      this.parts.map(({ code, written }) =>
        typeof written === 'string' ? written : `${code}_${written.id}`,
      ),
    );
  }

  component(overlays: ReadonlyMap<string, LayerAsset>): string {
    let component = '';
    for (const { written } of this.parts) {
      if (component !== '') component += ',';
      component += typeof written === 'string' ? written : this.write(written, overlays);
    }
    return component;
  }

  private write({ parameter, id }: RowPart, overlays: ReadonlyMap<string, LayerAsset>): string {
    const asset = overlays.get(id);
    if (!asset) {
      throw new Error(`Overlay ${id} was not resolved before the component was asked for.`);
    }
    const written = writeAssetLayer(asset);
    // `d_` has no room for a delivery type: Cloudinary's default image must be an uploaded one.
    if (written === undefined || (parameter.kind === 'asset' && asset.deliveryType !== 'upload')) {
      throw new InvalidTransformationError({
        step: this.step,
        key: parameter.key,
        value: id,
        allowed: parameter.kind === 'asset' ? parameter.allowed : LAYER_PUBLIC_ID_ALLOWED,
      });
    }
    return `${parameter.code}_${written}`;
  }
}

class Chain implements MappedChain {
  constructor(
    readonly steps: readonly MappedStep[],
    readonly overlayIds: readonly string[],
  ) {}

  components(overlays: ReadonlyMap<string, LayerAsset>): readonly string[] {
    const components: string[] = [];
    for (const step of this.steps) {
      const component = step.component(overlays);
      if (component !== '') components.push(component);
    }
    return components;
  }
}

const EMPTY: MappedChain = new Chain([], []);

/** Turns a token's `transformations` into the components of Cloudinary's URL. Pure: it finds no row and no image. */
export class TransformationMapper {
  /**
   * @param transformations The claim as it came: steps in order, each an object of the SDK's parameters.
   * @param numbers Of each step, the number by which it is named; its place, from 1, where there is none. Several steps
   * may stand for one of the token's.
   * @throws {InvalidTransformationError} 422 naming step, key, value and the allowed range.
   */
  map(transformations: unknown, numbers: readonly number[] = []): MappedChain {
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
    const overlayIds: string[] = [];
    const drafts: Draft[] = [];
    let layers = 0;
    for (const [index, step] of transformations.entries() as Iterable<[number, unknown]>) {
      const number = numbers[index] ?? index + 1;
      const draft = read(step, number, overlayIds);
      layers += draft.layers;
      if (layers > MAX_LAYERS) refuseLayer(draft, number);
      drafts.push(draft);
    }
    const onLayer = layers === 0 ? NONE : stepsOnLayers(drafts);
    const steps: MappedStep[] = [];
    for (const [index, draft] of drafts.entries()) {
      steps.push(finish(draft, numbers[index] ?? index + 1, onLayer.has(index)));
    }
    return new Chain(steps, overlayIds);
  }
}

const NONE: ReadonlySet<number> = new Set();

function refuseLayer({ parts }: Draft, step: number): never {
  throw new InvalidTransformationError({
    step,
    key: parts.some(({ code }) => code === 'l') ? 'overlay' : 'underlay',
    allowed: `at most ${MAX_LAYERS} layers in all steps together`,
  });
}

function read(step: unknown, position: number, overlayIds: string[]): Draft {
  if (!isPlainObject(step)) {
    throw new InvalidTransformationError({
      step: position,
      value: step,
      allowed: 'an object of parameters, such as {"width":200,"crop":"fit"}',
    });
  }
  const draft: Draft = { ignored: [], parts: [], flags: [], layers: 0 };
  for (const key of Object.keys(step)) {
    const parameter = PARAMETER_BY_KEY.get(key);
    if (!parameter) {
      draft.ignored.push({ key, reason: reasonToIgnore(key) });
      continue;
    }
    const value = step[key];
    // JSON has no undefined: only our own code can have left it there, and means "not set".
    if (value !== undefined && !readParameter(draft, parameter, value, overlayIds)) {
      throw new InvalidTransformationError({
        step: position,
        key,
        value,
        allowed: allowedFor(parameter, value),
      });
    }
  }
  applySize(draft, step);
  return draft;
}

const allowedFor = (parameter: Parameter, value: unknown): string =>
  (parameter.kind === 'value' ? parameter.grammar.allowedFor?.(value) : undefined) ?? parameter.allowed;

/** Puts one parameter into the draft. Returns false when its value is outside the grammar. */
function readParameter(draft: Draft, parameter: Parameter, value: unknown, overlayIds: string[]): boolean {
  switch (parameter.kind) {
    case 'value': {
      const written = parameter.grammar.write(value);
      if (written === undefined) {
        return false;
      }
      put(draft.parts, parameter.code, `${parameter.code}_${written}`);
      return true;
    }
    case 'layer': {
      draft.layers += 1;
      if (readRow(draft, parameter, value, overlayIds)) {
        return true;
      }
      const text = writeTextLayer(value);
      if (text === undefined) {
        return false;
      }
      put(draft.parts, parameter.code, `${parameter.code}_${text}`);
      return true;
    }
    case 'asset':
      return readRow(draft, parameter, value, overlayIds);
    case 'flags': {
      const flags = readFlags(value);
      draft.flags = flags ?? [];
      return flags !== undefined;
    }
    case 'size':
      return parameter.grammar.write(value) !== undefined;
    default:
      return parameter satisfies never;
  }
}

function readRow(draft: Draft, parameter: Parameter, value: unknown, overlayIds: string[]): boolean {
  const id = readRowId(value);
  if (id === undefined) {
    return false;
  }
  if (!overlayIds.includes(id)) {
    overlayIds.push(id);
  }
  put(draft.parts, parameter.code, { parameter, id });
  return true;
}

/**
 * Puts a parameter in its place, or in that of the one with its code; true where there was one. The SDK sorts whole
 * `code_value` texts: the underscore comes before every letter, so codes alone sort the same.
 */
function put(parts: Part[], code: string, written: Part['written']): boolean {
  const part = { code, written };
  const known = parts.findIndex((each) => each.code === code);
  if (known >= 0) {
    parts[known] = part;
    return true;
  }
  let at = parts.push(part) - 1;
  let before = parts[at - 1];
  while (before !== undefined && before.code > code) {
    parts[at] = before;
    at -= 1;
    before = parts[at - 1];
  }
  parts[at] = part;
  return false;
}

/** `size` gives width and height; as in the SDK it wins over those of the same step. */
function applySize(draft: Draft, step: Readonly<Record<string, unknown>>): void {
  if (typeof step['size'] !== 'string') {
    return;
  }
  const [width, height] = step['size'].split('x');
  for (const [key, code, side] of [['width', 'w', width] as const, ['height', 'h', height] as const]) {
    if (put(draft.parts, code, `${code}_${side ?? ''}`)) {
      draft.ignored.push({ key, reason: 'overruled by `size`' });
    }
  }
}

/**
 * Indices of the steps that act on a layer: those that have one, and those from a layer to the `layer_apply` that
 * closes it, as in `l_logo/c_scale,fl_relative,w_0.3/fl_layer_apply.tiled`
 * (https://cloudinary.com/documentation/layers#layer_transformation_syntax). Layers nest like brackets.
 */
function stepsOnLayers(drafts: readonly Draft[]): ReadonlySet<number> {
  const onLayer = new Set<number>();
  const open: number[] = [];
  for (const [index, draft] of drafts.entries()) {
    if (draft.layers > 0) {
      open.push(index);
      onLayer.add(index);
    }
    if (draft.flags.some(({ flag }) => flag.name === 'layer_apply')) {
      const from = open.pop() ?? index + 1;
      for (let inside = from; inside <= index; inside += 1) {
        onLayer.add(inside);
      }
    }
  }
  return onLayer;
}

function finish({ ignored, parts, flags }: Draft, position: number, onLayer: boolean): MappedStep {
  const kept: string[] = [];
  for (const { flag, written } of flags) {
    if (onLayer || flag.scope === 'picture') {
      kept.push(written);
    } else {
      ignored.push({ key: 'flags', reason: `\`${written}\` acts only on a layer, and this step has none` });
    }
  }
  if (kept.length > 0) {
    put(parts, 'fl', `fl_${kept.join('.')}`);
  }
  return new Step(position, ignored, parts);
}
