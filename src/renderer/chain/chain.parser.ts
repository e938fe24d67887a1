import type { LayerAsset } from '../../transformations/asset-layer.js';
import { readFlags } from '../../transformations/flags.js';
import { PARAMETER_BY_CODE, type Parameter } from '../../transformations/vocabulary.js';
import { RenderError } from '../image/render.errors.js';
import type { Component } from './component.js';
import { type Layer, readAssetLayer, readLayer } from './layer-source.js';

/** Components of one chain: the mapper's 32 steps, the base chain, and room for other writers. */
const MAX_COMPONENTS = 64;
const LONGEST_COMPONENT = 8192;

/**
 * Parses the components of a URL with the mapper's table.
 * @param chain Components as in the URL, percent-encoded.
 * @throws {RenderError} 400 naming the component and its fault.
 */
export function parseChain(chain: readonly string[]): readonly Component[] {
  if (chain.length > MAX_COMPONENTS) {
    throw new RenderError(400, `Too many components in transformation: ${chain.length}`);
  }
  return chain.map(parseComponent);
}

/** The originals that a chain uses beside the image itself. @throws {RenderError} as `parseChain` does. */
export function findAssets(chain: readonly string[]): readonly LayerAsset[] {
  return parseChain(chain).flatMap(({ layer, values }) => {
    const fallback = values.get('d');
    return [
      ...(layer?.kind === 'asset' ? [layer.asset] : []),
      ...(fallback === undefined ? [] : defaultImages(fallback)),
    ];
  });
}

/** The uploaded original that `d_` names, if any. */
export function defaultImages(value: string): readonly LayerAsset[] {
  const asset = readAssetLayer(value);
  return asset?.deliveryType === 'upload' ? [asset] : [];
}

/** Cloudinary's own SDKs repeat flags (`fl_layer_apply,fl_no_overflow`). Of effects the last one applies, as there. */
const REPEATABLE: ReadonlySet<string> = new Set(['fl', 'e']);

function parseComponent(text: string): Component {
  if (text === '' || text.length > LONGEST_COMPONENT) {
    throw new RenderError(400, `Invalid transformation component - ${text.slice(0, 100)}`);
  }
  const values = new Map<string, string>();
  const flags = new Map<string, string>();
  let layer: Layer | undefined;
  for (const part of text.split(',')) {
    const { code, parameter, value: raw } = splitParameter(part, text);
    const value = readValue(parameter, raw);
    if (value === undefined) {
      throw new RenderError(400, `Invalid value ${raw} for parameter ${code} in component ${text}`);
    }
    const before = values.get(code);
    if (before !== undefined && !REPEATABLE.has(code)) {
      throw new RenderError(400, `Parameter ${code} given more than once in component ${text}`);
    }
    values.set(code, before === undefined || code === 'e' ? value : `${before}.${value}`);
    if (parameter.kind === 'flags') {
      for (const { flag, written } of readFlags(value) ?? []) {
        flags.set(flag.name, written.slice(flag.name.length + 1));
      }
    }
    if (parameter.kind === 'layer') layer ??= readLayer(value, code === 'u');
  }
  return { text, values, flags, layer };
}

function splitParameter(
  part: string,
  component: string,
): { readonly code: string; readonly parameter: Parameter; readonly value: string } {
  const end = part.indexOf('_');
  const code = end < 0 ? part : part.slice(0, end);
  const parameter = end < 0 ? undefined : PARAMETER_BY_CODE.get(code);
  if (!parameter) {
    throw new RenderError(400, `Invalid transformation parameter ${part} in component ${component}`);
  }
  return { code, parameter, value: part.slice(end + 1) };
}

/** The value as written by the grammar, or undefined if invalid. */
function readValue(parameter: Parameter, raw: string): string | undefined {
  const asWritten = accept(parameter, raw);
  if (asWritten !== undefined || !raw.includes('%')) return asWritten;
  // Clients may encode characters that need no encoding (`16%3A9`). A separator stays refused after decoding.
  try {
    const decoded = decodeURIComponent(raw);
    return /[,/]/.test(decoded) ? undefined : accept(parameter, decoded);
  } catch {
    return undefined;
  }
}

/** A URL contains only final spellings: `#fff` and `initial_width` are valid only in a token. */
function accept(parameter: Parameter, value: string): string | undefined {
  switch (parameter.kind) {
    case 'value':
      return parameter.grammar.write(value) === value ? value : undefined;
    case 'flags':
      return readFlags(value) && value;
    case 'layer':
      return readLayer(value, false) && value;
    case 'asset':
      return defaultImages(value).length > 0 ? value : undefined;
    case 'size':
      return undefined;
    default:
      return parameter satisfies never;
  }
}
