import { readFlags } from './flags.js';
import { PARAMETER_BY_CODE } from './vocabulary.js';

/** A component's values by short code: `c_fit,w_100` is c → fit, w → 100. */
export type ComponentValues = ReadonlyMap<string, string>;

/** Splits parameters into code and value. No short code contains an underscore. */
export function valuesOf(parameters: readonly string[]): ComponentValues {
  return new Map(
    parameters.map((parameter) => {
      const end = parameter.indexOf('_');
      return end < 0 ? [parameter, ''] : [parameter.slice(0, end), parameter.slice(end + 1)];
    }),
  );
}

/** The values of a component in its final spelling: no grammar allows a comma in a value. */
export const valuesOfComponent = (component: string): ComponentValues => valuesOf(component.split(','));

/** Components as they appear in a URL: each followed by `/`. */
export const pathOf = (components: readonly string[]): string =>
  components.map((component) => `${component}/`).join('');

const LONGEST_COMPONENT = 300;

/**
 * Why a component in short codes is invalid; null if it is valid. It is kept verbatim, in its own order; every value
 * must be in its grammar's final spelling. Layers and other assets are refused: they need rows, which a component
 * cannot name.
 */
export function findComponentFault(component: unknown): string | null {
  if (typeof component !== 'string' || component === '' || component.length > LONGEST_COMPONENT) {
    return `must be a string of 1 to ${LONGEST_COMPONENT} characters, such as c_fit,h_1920,w_1920`;
  }
  const seen = new Set<string>();
  for (const text of component.split(',')) {
    const end = text.indexOf('_');
    const code = end < 0 ? text : text.slice(0, end);
    const fault = seen.has(code)
      ? 'is repeated'
      : findValueFault(code, end < 0 ? undefined : text.slice(end + 1));
    if (fault !== null) {
      return `\`${text}\` ${fault}`;
    }
    seen.add(code);
  }
  return null;
}

function findValueFault(code: string, value: string | undefined): string | null {
  const parameter = PARAMETER_BY_CODE.get(code);
  if (parameter === undefined || value === undefined) {
    return 'is not a parameter in short codes, such as w_100';
  }
  switch (parameter.kind) {
    case 'value':
      return parameter.grammar.write(value) === value ? null : `is outside of: ${parameter.allowed}`;
    case 'flags': {
      const flags = readFlags(value);
      if (flags === undefined) {
        return `is outside of: ${parameter.allowed}`;
      }
      return flags.some(({ flag }) => flag.scope === 'layer' || flag.name === 'layer_apply')
        ? 'acts on a layer, but there is none'
        : null;
    }
    case 'layer':
    case 'asset':
    case 'size':
      return 'names an asset, which only a step can, by the id of its row';
    default:
      return parameter satisfies never;
  }
}
