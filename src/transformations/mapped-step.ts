import { type LayerAsset, LAYER_PUBLIC_ID_ALLOWED, writeAssetLayer } from './asset-layer.js';
import { type ComponentValues, valuesOf } from './component.js';
import { readFlags, type UsedFlag } from './flags.js';
import { isAbsent } from './grammar.js';
import { isObject } from '../domain/is-object.js';
import { canonicalUuid } from '../domain/uuid.js';
import { FONT_ALLOWED, writeFont } from './font-file.js';
import { allowedTextLayer, readFontText, readWrittenText, writeTextLayer } from './text-layer.js';
import { InvalidTransformationError } from './transformation.errors.js';
import { hasNoValue, nearStepKey, type Parameter, PARAMETER_BY_KEY, reasonToIgnore } from './vocabulary.js';

/** A key of a step, or a part of its value, that has no effect. */
export interface IgnoredKey {
  readonly key: string;
  /** A short phrase without a subject: "unknown parameter". */
  readonly reason: string;
  /** The known key that was probably intended. */
  readonly near?: string;
}

/** Rows by id, in lower case. */
export type LayerAssets = ReadonlyMap<string, LayerAsset>;

/** A parameter of a component: written already, or waiting for its row. */
interface Part {
  readonly code: string;
  readonly written: string | RowPart;
}

interface RowPart {
  readonly parameter: Parameter;
  readonly id: string;
  /** The rest of a text layer, after its font, if the row is a font file: `_40_bold:Hi`. */
  readonly text?: string;
}

const NO_FLAGS: readonly UsedFlag[] = [];

/**
 * A step of a token in the vocabulary. It is read in one pass, settled once the steps around it are known, and written
 * when its rows are loaded. Ignored keys are determined only on request: a redirect does not need them.
 */
export class MappedStep {
  /** Sorted by code, without duplicates. */
  private readonly parts: Part[] = [];
  private flags = NO_FLAGS;
  private onLayer = false;
  /** Overlays and underlays, including texts. */
  layers = 0;

  private constructor(
    /** 1-based; the steps of a preset all have the number of the step that uses it. */
    readonly step: number,
    private readonly source: Readonly<Record<string, unknown>>,
  ) {}

  /**
   * @param source The step as received.
   * @param lenient Whether an unknown key that resembles a known one is ignored like any other unknown key.
   * @throws {InvalidTransformationError} 422 naming step, key, value and the allowed range.
   */
  static read(source: unknown, step: number, lenient: boolean): MappedStep {
    if (!isObject(source)) {
      throw new InvalidTransformationError({
        step,
        value: source,
        allowed: 'an object of parameters, such as {"width":200,"crop":"fit"}',
      });
    }
    const read = new MappedStep(step, source);
    // A parsed step has only own members, and `for…in` allocates no list of them.
    for (const key in source) {
      const parameter = PARAMETER_BY_KEY.get(key);
      if (parameter === undefined) {
        if (!lenient) refuseNearKey(key, step);
        continue;
      }
      const value = source[key];
      if (hasNoValue(parameter, value)) continue;
      if (!read.take(parameter, value)) {
        throw new InvalidTransformationError({ step, key, value, allowed: allowedFor(parameter, value) });
      }
    }
    read.takeSize();
    return read;
  }

  /** These ids and those of the rows that it needs, without duplicates. */
  withRowIds(ids: readonly string[]): readonly string[] {
    let all = ids;
    for (const { written } of this.parts) {
      if (typeof written === 'string' || all.includes(written.id)) continue;
      all = [...all, written.id];
    }
    return all;
  }

  /** Whether it closes the innermost open layer. */
  get appliesLayer(): boolean {
    for (const { flag } of this.flags) {
      if (flag.name === 'layer_apply') return true;
    }
    return false;
  }

  /** Marks it as acting on a layer; call before `settle`. */
  actOnLayer(): void {
    this.onLayer = true;
  }

  /** Adds its flags; those that act on a layer only if there is one. */
  settle(): void {
    let kept = '';
    for (const { flag, written } of this.flags) {
      if (this.onLayer || flag.scope === 'picture') kept += kept === '' ? `fl_${written}` : `.${written}`;
    }
    if (kept !== '') this.put('fl', kept);
  }

  /**
   * Requires that it has an effect, and that each of its flags has: otherwise the layer that they belong to was dropped
   * on the way. After `settle`.
   * @throws {InvalidTransformationError} 422
   */
  requireEffect(): void {
    const { step, source } = this;
    const [idle] = this.idleFlags;
    if (idle !== undefined) {
      throw new InvalidTransformationError({
        step,
        key: 'flags',
        value: idle.written,
        allowed:
          'in a step without `overlay` or `underlay`, flags that do not act on a layer (the issuer’s policy is `strict`)',
      });
    }
    if (this.parts.length > 0) return;
    throw new InvalidTransformationError({
      step,
      value: source,
      allowed: 'a step with at least one parameter that has a value (the issuer’s policy is `strict`)',
    });
  }

  /** Flags that act on a layer, where there is none. */
  private get idleFlags(): readonly UsedFlag[] {
    return this.onLayer ? NO_FLAGS : this.flags.filter(({ flag }) => flag.scope === 'layer');
  }

  /** What has no effect. */
  get ignored(): readonly IgnoredKey[] {
    const { source } = this;
    const overruled = isSize(source['size']) ? SIDES.filter(({ key }) => isSet(source[key])) : [];
    return [
      ...findIgnoredKeys(source),
      ...overruled.map(({ key }) => ({ key, reason: 'overridden by `size`' })),
      ...this.idleFlags.map(({ written }) => ({
        key: 'flags',
        reason: `\`${written}\` acts only on a layer, and this step has none`,
      })),
    ];
  }

  /** The component's values by short code; for an unresolved asset, the id of its row. */
  values(): ComponentValues {
    return valuesOf(
      this.parts.map(({ code, written }) =>
        typeof written === 'string' ? written : `${code}_${written.id}`,
      ),
    );
  }

  /** The rows that it needs, each with the key that names it. */
  get rows(): readonly { readonly key: string; readonly id: string }[] {
    return this.parts.flatMap(({ written }) =>
      typeof written === 'string' ? [] : [{ key: written.parameter.key, id: written.id }],
    );
  }

  /** The texts of its layers as an image shows them, each with the key that has it. */
  get texts(): readonly { readonly key: string; readonly text: string }[] {
    return this.parts.flatMap(({ code, written }) => {
      const key = LAYER_KEYS.get(code);
      const layer = typeof written === 'string' ? written : written.text;
      return key === undefined || layer === undefined ? [] : [{ key, text: readWrittenText(layer) }];
    });
  }

  /**
   * The step as Cloudinary's component; '' if no key has an effect.
   * @param overlays All of the chain's `overlayIds`.
   * @throws {InvalidTransformationError} 422 if the step cannot use a row.
   */
  component(overlays: LayerAssets): string {
    let component = '';
    for (const { written } of this.parts) {
      if (component !== '') component += ',';
      component += typeof written === 'string' ? written : this.write(written, overlays);
    }
    return component;
  }

  private write({ parameter, id, text }: RowPart, overlays: LayerAssets): string {
    const asset = overlays.get(id);
    if (!asset) {
      throw new Error(`Overlay ${id} was not resolved before the component was requested.`);
    }
    if (text !== undefined) {
      const font = writeFont(asset);
      if (font !== undefined) return `${parameter.code}_text:${font}${text}`;
      const allowed = `a text layer whose \`font_family\` is ${FONT_ALLOWED}`;
      throw new InvalidTransformationError({ step: this.step, key: parameter.key, value: id, allowed });
    }
    const written = writeAssetLayer(asset);
    // `d_` cannot contain a delivery type: Cloudinary's default image must be an uploaded one.
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

  /** Adds a parameter. Returns false if the grammar does not accept its value. */
  private take(parameter: Parameter, value: unknown): boolean {
    const { code } = parameter;
    switch (parameter.kind) {
      case 'value': {
        const written = parameter.grammar.write(value);
        if (written === undefined) return false;
        this.put(code, `${code}_${written}`);
        return true;
      }
      case 'layer': {
        this.layers += 1;
        if (this.takeRow(parameter, value)) return true;
        const set = readFontText(value);
        if (set !== null) {
          if (set.text === undefined) return false;
          this.put(code, { parameter, id: set.fontId, text: set.text });
          return true;
        }
        const text = writeTextLayer(value);
        if (text === undefined) return false;
        this.put(code, `${code}_${text}`);
        return true;
      }
      case 'asset':
        return this.takeRow(parameter, value);
      case 'flags': {
        const flags = readFlags(value);
        if (flags === undefined) return false;
        this.flags = flags;
        return true;
      }
      case 'size':
        return parameter.grammar.write(value) !== undefined;
      default:
        return parameter satisfies never;
    }
  }

  private takeRow(parameter: Parameter, value: unknown): boolean {
    const id = canonicalUuid(value);
    if (id === null) return false;
    this.put(parameter.code, { parameter, id });
    return true;
  }

  /** `size` sets width and height; as in the SDK it overrides those of the same step. */
  private takeSize(): void {
    const size = this.source['size'];
    if (!isSize(size)) return;
    const sides = size.split('x');
    for (const [index, { code }] of SIDES.entries()) this.put(code, `${code}_${sides[index] ?? ''}`);
  }

  /**
   * Inserts a parameter, or replaces the one with its code. The SDK sorts whole `code_value` strings: the underscore
   * sorts before every letter, so sorting by code has the same result.
   */
  private put(code: string, written: Part['written']): void {
    const { parts } = this;
    const part = { code, written };
    for (const [index, other] of parts.entries()) {
      if (other.code < code) continue;
      parts.splice(index, other.code === code ? 1 : 0, part);
      return;
    }
    parts.push(part);
  }
}

/** Keys of layers by code. A layer that needs no row is a text. */
const LAYER_KEYS: ReadonlyMap<string, string> = new Map([
  ['l', 'overlay'],
  ['u', 'underlay'],
]);

const SIDES = [
  { key: 'width', code: 'w' },
  { key: 'height', code: 'h' },
] as const;

/** @throws {InvalidTransformationError} 422 for an unknown key that resembles a known one. */
export function refuseNearKey(key: string, step: number): void {
  const near = nearStepKey(key);
  if (near !== null) throw new InvalidTransformationError({ step, key, near });
}

const isSize = (size: unknown): size is string => typeof size === 'string' && size !== '';
const isSet = (value: unknown): boolean => value !== undefined && !isAbsent(value);

/** Keys of an accepted step that are not parameters or have no value: `height`, `overlay.font_weight`. */
export function findIgnoredKeys(step: Readonly<Record<string, unknown>>): readonly IgnoredKey[] {
  const entries = Object.entries(step);
  const absent = entries.flatMap(([key, value]) => {
    if (!PARAMETER_BY_KEY.has(key)) return [];
    if (isAbsent(value)) return [key];
    if (!isObject(value)) return [];
    return Object.keys(value).flatMap((name) => (isAbsent(value[name]) ? [`${key}.${name}`] : []));
  });
  return [
    ...entries.flatMap(([key]) => {
      if (PARAMETER_BY_KEY.has(key)) return [];
      const near = nearStepKey(key);
      return [{ key, reason: reasonToIgnore(key), ...(near === null ? {} : { near }) }];
    }),
    ...absent.map((key) => ({ key, reason: 'no value' })),
  ];
}

function allowedFor(parameter: Parameter, value: unknown): string {
  const narrower =
    parameter.kind === 'value'
      ? parameter.grammar.allowedFor?.(value)
      : parameter.kind === 'layer'
        ? allowedTextLayer(value)
        : undefined;
  return narrower ?? parameter.allowed;
}
