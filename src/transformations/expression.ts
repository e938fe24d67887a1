/**
 * Arithmetic on the image's own measures, such as `initial_width / 2`, which the SDK writes `iw_div_2`
 * (`normalize_expression` in node_modules/cloudinary/lib/utils/index.js).
 * The SDK replaces words anywhere in a string, and passes `$variables`, tags and string literals through. This grammar
 * allows only numbers, measures and arithmetic, so that the output always equals the SDK's.
 */

/** Measures by the SDK's long names (`PREDEFINED_VARS` in lib/utils/consts.js), including its camelCase ones. */
const LONG_MEASURES: Readonly<Record<string, string>> = {
  initial_aspect_ratio: 'iar',
  initialAspectRatio: 'iar',
  initial_width: 'iw',
  initialWidth: 'iw',
  initial_height: 'ih',
  initialHeight: 'ih',
  aspect_ratio: 'ar',
  aspectRatio: 'ar',
  current_page: 'cp',
  currentPage: 'cp',
  face_count: 'fc',
  faceCount: 'fc',
  page_count: 'pc',
  pageCount: 'pc',
  page_x: 'px',
  pageX: 'px',
  page_y: 'py',
  pageY: 'py',
  width: 'w',
  height: 'h',
};

/** Operators that the SDK rewrites (`CONDITIONAL_OPERATORS`, only arithmetic ones). */
const SIGNS: Readonly<Record<string, string>> = {
  '*': 'mul',
  '/': 'div',
  '+': 'add',
  '-': 'sub',
  '^': 'pow',
};

const LONGEST = 100;
const NUMBER = String.raw`-?(?:0|[1-9]\d{0,4})(?:\.\d{1,6})?`;
const MEASURE = [
  ...Object.keys(LONG_MEASURES),
  'iar',
  'iw',
  'ih',
  'ar',
  'cp',
  'fc',
  'pc',
  'px',
  'py',
  'w',
  'h',
].join('|');
const OPERAND = `(?:${NUMBER}|${MEASURE})`;
const OPERATOR = String.raw`(?:[*/+^-]|mul|div|add|sub|pow|mod)`;
const EXPRESSION = new RegExp(`^${OPERAND}(?:[ _]+${OPERATOR}[ _]+${OPERAND}){0,8}$`);
const LONG_MEASURE = new RegExp(Object.keys(LONG_MEASURES).join('|'), 'g');
const SIGN = /[*/+^-](?=[ _])/g;

/** Describes an expression for people. */
export const EXPRESSION_ALLOWED =
  'arithmetic such as `initial_width / 2` or `iw_div_2`, of numbers and iw, ih, iar, w, h, ar, cp, fc, pc, px, py';

/**
 * The SDK's spelling of an expression (`iw_div_2`), or undefined for any other text.
 * @param text At most 100 characters, at most 8 operators, numbers below 100,000.
 */
export function writeExpression(text: string): string | undefined {
  if (text.length > LONGEST || !EXPRESSION.test(text)) {
    return undefined;
  }
  return text
    .replace(SIGN, (sign) => SIGNS[sign] ?? sign)
    .replace(LONG_MEASURE, (name) => LONG_MEASURES[name] ?? name)
    .replace(/[ _]+/g, '_');
}

/** Words that the SDK rewrites anywhere, even within a sentence. */
export const REWRITTEN_WORDS =
  /aspect_?ratio|current_?page|duration|face_?count|height|page_?(?:count|[xy])|tags|width/i;
