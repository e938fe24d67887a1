import { isLosslessNumber, LosslessNumber, parse } from 'lossless-json';

/**
 * Numbers that JSON.parse may read as integers although their text has a fraction or an exponent: Ruby, Python and Java
 * write a share of 1 as `1.0`, and a double has at most 17 digits. A match inside a string only costs time.
 */
const FRACTION = /[:,[\s]-?(?:\d+(?:\.0+|(?:\.\d+)?[eE][+-]?\d+)|(?=[\d.]{16})\d+\.\d+)\s*[,\]}]/;
const EXPONENT = /\d[eE][+-]?\d+\s*[,\]}]/;

/** Most texts have no dot: the shorter pattern costs less. */
const mayHoldShares = (text: string): boolean => (text.includes('.') ? FRACTION : EXPONENT).test(text);

/**
 * Parses JSON, and keeps the decimal point of numbers such as `1.0` where a share differs from an integer: they become
 * the text `1.0`, which the vocabulary reads as a share, and `1` as a pixel. Every other value is that of JSON.parse.
 * @throws SyntaxError
 */
export function parseWithShares(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return mayHoldShares(text) ? read(text) : value;
}

/**
 * Keeps such numbers in a part of a document.
 * @param value JSON.parse's value of `text`.
 * @param keep Copies the part from the second document, which has them, into the first.
 */
export function keepShares<T>(text: string, value: T, keep: (value: T, withShares: T) => T): T {
  if (!mayHoldShares(text)) return value;
  try {
    return keep(value, read(text) as T);
  } catch (error) {
    // The parser is recursive. A text nested too deeply for it is refused for its depth.
    if (error instanceof RangeError) return value;
    throw error;
  }
}

/** Members that accept integers and decimals: parameters of a step, and members of a text layer. */
const SHARES: ReadonlySet<string> = new Set([
  ...['aspect_ratio', 'dpr', 'height', 'width', 'x', 'y', 'zoom'],
  ...['letter_spacing', 'line_spacing'],
]);

function read(text: string): unknown {
  // The last member of a repeated name is used, as by JSON.parse.
  return parse(text, keepShare, { parseNumber: readNumber, onDuplicateKey: ({ newValue }) => newValue });
}

function readNumber(text: string): number | LosslessNumber {
  const value = Number(text);
  return Number.isInteger(value) && /[.eE]/.test(text) ? new LosslessNumber(text) : value;
}

/** A reviver. In other members `90.0` is 90: the text would mean the angles `90` and `0`, or the effect `blur:300.0`. */
function keepShare(this: unknown, key: string, value: unknown): unknown {
  if (!isLosslessNumber(value)) return value;
  const whole = Number(value.value);
  return SHARES.has(key) || isVectorizeShare(this, key, whole) ? whole.toFixed(1) : whole;
}

/**
 * Whether a value is the detail or despeckle of `["vectorize", <colours>, <detail>, <despeckle>]`: the only shares of an
 * effect. Names and values may be joined (`"vectorize:3"`), and the colours, 2 to 30, may be omitted.
 */
function isVectorizeShare(holder: unknown, key: string, value: number): boolean {
  if (key === 'vectorize') return !isColours(value);
  if (!Array.isArray(holder)) return false;
  const [name, ...before] = holder.slice(0, Number(key)).join(':').split(':');
  if (name !== 'vectorize') return false;
  const position = before.length + (isColours(Number(before[0] ?? value)) ? 0 : 1);
  return position === 1 || position === 2;
}

const isColours = (value: number): boolean => value >= 2 && value <= 30;
