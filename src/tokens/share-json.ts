import { isLosslessNumber, LosslessNumber, parse } from 'lossless-json';

/**
 * Numbers that JSON.parse may read as whole ones, though their text has a fraction or an exponent: Ruby, Python and Java
 * write a share of 1 as `1.0`, and a double has no more than 17 digits. It may match inside a string too, which costs
 * time and nothing else.
 */
const MAY_HOLD_SHARES = /[:,[\s]-?(?:\d+(?:\.0+|(?:\.\d+)?[eE][+-]?\d+)|(?=[\d.]{16})\d+\.\d+)\s*[,\]}]/;

/**
 * Parses JSON, and keeps the decimal point of numbers such as `1.0` where a share is another value than a whole number:
 * they become the text `1.0`, which the vocabulary takes for a share, where `1` is a pixel. Every other value is as
 * JSON.parse has it.
 * @throws SyntaxError
 */
export function parseWithShares(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return MAY_HOLD_SHARES.test(text) ? read(text) : value;
}

/**
 * Keeps such numbers in a part of a document.
 * @param value What JSON.parse makes of `text`.
 * @param keep Puts the part of the second document, which has them, into the first.
 */
export function keepShares<T>(text: string, value: T, keep: (value: T, withShares: T) => T): T {
  if (!MAY_HOLD_SHARES.test(text)) return value;
  try {
    return keep(value, read(text) as T);
  } catch (error) {
    // It calls itself for each level: what is nested too deep for that is refused for its depth.
    if (error instanceof RangeError) return value;
    throw error;
  }
}

/** Members that take whole numbers and decimals: parameters of a step, and members of a text layer. */
const SHARES: ReadonlySet<string> = new Set([
  ...['aspect_ratio', 'dpr', 'height', 'width', 'x', 'y', 'zoom'],
  ...['letter_spacing', 'line_spacing'],
]);

function read(text: string): unknown {
  // Of a repeated name the last member counts, as for JSON.parse.
  return parse(text, keepShare, { parseNumber: readNumber, onDuplicateKey: ({ newValue }) => newValue });
}

function readNumber(text: string): number | LosslessNumber {
  const value = Number(text);
  return Number.isInteger(value) && /[.eE]/.test(text) ? new LosslessNumber(text) : value;
}

/** A reviver. Elsewhere `90.0` is 90: as text it would be the two angles `90` and `0`, or the effect `blur:300.0`. */
function keepShare(this: unknown, key: string, value: unknown): unknown {
  if (!isLosslessNumber(value)) return value;
  const whole = Number(value.value);
  return SHARES.has(key) || isVectorizeShare(this, key, whole) ? whole.toFixed(1) : whole;
}

/**
 * Whether a value is the detail or despeckle of `["vectorize", <colours>, <detail>, <despeckle>]`: the only shares of an
 * effect. Names and values may be joined (`"vectorize:3"`), and the colours, 2 to 30, be left out.
 */
function isVectorizeShare(holder: unknown, key: string, value: number): boolean {
  if (key === 'vectorize') return !isColours(value);
  if (!Array.isArray(holder)) return false;
  const [name, ...before] = holder.slice(0, Number(key)).join(':').split(':');
  if (name !== 'vectorize') return false;
  const place = before.length + (isColours(Number(before[0] ?? value)) ? 0 : 1);
  return place === 1 || place === 2;
}

const isColours = (value: number): boolean => value >= 2 && value <= 30;
