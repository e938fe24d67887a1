import { EXPRESSION_ALLOWED, writeExpression } from './expression.js';

/** An inclusive range. */
export type Range = readonly [min: number, max: number];

/** The values that a grammar accepts, as data: for forms, documentation, generators of test cases. */
export type Shape =
  | {
      readonly kind: 'number';
      /** Whole numbers, in the parameter's unit. */
      readonly integer?: Range;
      /** Numbers with a decimal point; if integers are allowed too, they are fractions (0.5 is 50 %). */
      readonly decimal?: Range;
      readonly words: readonly string[];
      readonly expressions: boolean;
    }
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'pattern'; readonly pattern: string; readonly examples: readonly string[] }
  | { readonly kind: 'list'; readonly of: Shape; readonly separator: string; readonly most: number }
  | { readonly kind: 'any_of'; readonly of: readonly Shape[] };

/** The values that a parameter accepts, and their spelling in a URL. */
export interface Grammar {
  /** Completes "Allowed: …" for people. */
  readonly allowed: string;
  readonly shape: Shape;
  /**
   * The value as the SDK writes it, or undefined if the grammar does not accept it. The result is in the grammar too,
   * and is written unchanged: a chain can be read back with the same table.
   */
  write(value: unknown): string | undefined;
  /** A narrower `allowed` for this value; undefined where the grammar knows none. */
  allowedFor?(value: unknown): string | undefined;
}

// One spelling per number: no exponent, leading zero or plus sign, and never `1e9` or `NaN`.
const NUMBER = /^-?(?:0|[1-9]\d{0,6})(?:\.\d{1,20})?$/;

const within = (value: number, range: Range | undefined): boolean =>
  range !== undefined && value >= range[0] && value <= range[1];

interface Ranges {
  readonly integer?: Range;
  readonly decimal?: Range;
  /** Whether a decimal is a fraction of another length. */
  readonly isFraction?: boolean;
}

function ranges({ integer, decimal, isFraction = false }: Ranges): string[] {
  const whole = integer ? [`a whole number from ${integer[0]} to ${integer[1]}`] : [];
  if (decimal === undefined) return whole;
  const between = `from ${decimal[0]} to ${decimal[1]}`;
  return [
    ...whole,
    isFraction ? `a fraction ${between}, with a decimal point (1.0 is 100 %)` : `a decimal ${between}`,
  ];
}

/**
 * Numbers, as JSON numbers or strings. Strings are kept verbatim, since Cloudinary distinguishes `1` (a pixel) from
 * `1.0` (the whole): hence separate ranges for integers and decimals.
 */
export function number(
  options: Ranges & { readonly words?: readonly string[]; readonly expressions?: boolean },
): Grammar {
  const constants = new Set(options.words);
  const expressions = options.expressions ?? false;
  const allowed = [
    ...ranges(options),
    ...(constants.size > 0 ? [[...constants].join(', ')] : []),
    ...(expressions ? [EXPRESSION_ALLOWED] : []),
  ].join('; or ');
  return {
    allowed,
    allowedFor(value) {
      const whole = options.isFraction === true ? /^(-?\d+)\.0+$/.exec(String(value))?.[1] : undefined;
      return whole !== undefined && within(Number(whole), options.integer)
        ? `${allowed}. For pixels, write ${whole}: a number with a decimal point is a fraction`
        : undefined;
    },
    shape: {
      kind: 'number',
      ...(options.integer ? { integer: options.integer } : {}),
      ...(options.decimal ? { decimal: options.decimal } : {}),
      words: [...constants],
      expressions,
    },
    write(value) {
      if (typeof value !== 'number' && typeof value !== 'string') {
        return undefined;
      }
      // The most frequent values, without the pattern, which allows seven digits.
      if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < 1e7) {
        return within(value, options.integer) ? String(value) : undefined;
      }
      const text = integerText(String(value), options);
      if (NUMBER.test(text)) {
        return within(Number(text), text.includes('.') ? options.decimal : options.integer)
          ? text
          : undefined;
      }
      if (constants.has(text)) {
        return text;
      }
      return expressions ? writeExpression(text) : undefined;
    },
  };
}

/** If fractions are not allowed, `40.0` is 40: languages with a single number type write it so. */
function integerText(text: string, { decimal }: { readonly decimal?: Range }): string {
  return decimal === undefined ? text.replace(/^(-?\d+)\.0+$/, '$1') : text;
}

/** Splits words at white space: keeps long lists readable. */
export const words = (text: string): readonly string[] => text.trim().split(/\s+/);

/** A closed list of words. */
export function oneOf(...list: readonly string[]): Grammar {
  const set = new Set(list);
  return {
    allowed: list.join(', '),
    shape: { kind: 'words', words: list },
    write: (value) => (typeof value === 'string' && set.has(value) ? value : undefined),
  };
}

/**
 * A string of a given form, kept verbatim.
 * @param pattern Anchored. It must not match anything that would end a parameter or a component.
 * @param examples Values that it accepts, as the tests verify.
 */
export function matching(pattern: RegExp, allowed: string, examples: readonly string[]): Grammar {
  return {
    allowed,
    shape: { kind: 'pattern', pattern: pattern.source, examples },
    write: (value) =>
      typeof value === 'string' && value.length <= 300 && pattern.test(value) ? value : undefined,
  };
}

/**
 * The same with spaces: a space is written as `%20` before it is signed. The SDK signs the raw space, which differs
 * from what it sends.
 */
export const spaced = (grammar: Grammar): Grammar => ({
  ...grammar,
  write: (value) => grammar.write(typeof value === 'string' ? value.replaceAll(' ', '%20') : value),
});

/** Several values: an array, or a string that is joined as the SDK joins them. */
export function listOf(item: Grammar, separator: string, most: number): Grammar {
  return {
    allowed: `${item.allowed}; up to ${most} of them, in an array or joined by \`${separator}\``,
    shape: { kind: 'list', of: item.shape, separator, most },
    write(value) {
      const items: readonly unknown[] = Array.isArray(value)
        ? value
        : typeof value === 'string'
          ? value.split(separator)
          : [value];
      if (items.length === 0 || items.length > most) {
        return undefined;
      }
      const written = items.map((each) => item.write(each));
      // The SDK rewrites no word after a colon (`20:initial_width`), so a joined string must use the short form.
      const joined = typeof value === 'string' && items.length > 1;
      return written.some((each, index) => each === undefined || (joined && each !== items[index]))
        ? undefined
        : written.join(separator);
    },
  };
}

/** The first grammar that accepts the value. */
export function anyOf(...grammars: readonly Grammar[]): Grammar {
  return {
    allowed: grammars.map((grammar) => grammar.allowed).join('; or '),
    allowedFor(value) {
      for (const [index, grammar] of grammars.entries()) {
        const narrower = grammar.allowedFor?.(value);
        if (narrower === undefined) continue;
        return grammars.map((each, place) => (place === index ? narrower : each.allowed)).join('; or ');
      }
      return undefined;
    },
    shape: { kind: 'any_of', of: grammars.map((grammar) => grammar.shape) },
    write(value) {
      for (const grammar of grammars) {
        const written = grammar.write(value);
        if (written !== undefined) {
          return written;
        }
      }
      return undefined;
    },
  };
}

/**
 * Whether the SDK treats a value as empty: null, `''`, `[]`, and a list with one of them. Serializers write such
 * members for unset fields.
 */
export function isAbsent(value: unknown): boolean {
  if (isBlank(value)) return true;
  return Array.isArray(value) && (value.length === 0 || (value.length === 1 && isBlank(value[0])));
}

const isBlank = (value: unknown): boolean => value === null || value === '';
