import { RenderError } from './render.errors.js';

/** The values of names in an expression. */
export interface Measures {
  /** Of the current image, in pixels. */
  readonly width: number;
  readonly height: number;
  /** Of the original. */
  readonly initialWidth: number;
  readonly initialHeight: number;
  /** Frames or pages of the original. */
  readonly pageCount: number;
  readonly currentPage: number;
}

type Operation = (left: number, right: number) => number;

const PRODUCTS: ReadonlyMap<string, Operation> = new Map([
  ['mul', (left, right) => left * right],
  ['div', (left, right) => left / right],
  ['mod', (left, right) => left % right],
]);
const SUMS: ReadonlyMap<string, Operation> = new Map([
  ['add', (left, right) => left + right],
  ['sub', (left, right) => left - right],
]);
const POWERS: ReadonlyMap<string, Operation> = new Map([['pow', (left, right) => left ** right]]);

/**
 * A number, or arithmetic such as `iw_div_2`, in the usual order: powers, then products, then sums
 * (https://cloudinary.com/documentation/user_defined_variables#arithmetic_expressions).
 * @throws {RenderError} 400 for faces and custom regions, which are not detected here, and for a result that is not
 *   finite.
 */
export function evaluate(text: string, measures: Measures): number {
  const [first = '', ...rest] = text.split('_');
  const operands = [operand(first, measures)];
  const operators: string[] = [];
  for (let index = 0; index + 1 < rest.length; index += 2) {
    operators.push(rest[index] ?? '');
    operands.push(operand(rest[index + 1] ?? '', measures));
  }
  for (const level of [POWERS, PRODUCTS, SUMS]) reduce(operands, operators, level);
  const [result] = operands;
  if (result === undefined || operands.length > 1 || !Number.isFinite(result)) {
    throw new RenderError(400, `Expression ${text} has no finite value`);
  }
  return result;
}

/** Whether a value is a fraction of a side: a number with a decimal point. */
export const isShare = (text: string): boolean => /^-?\d+\.\d+$/.test(text);

/** Replaces each operation of one level by its result, from left to right. */
function reduce(operands: number[], operators: string[], level: ReadonlyMap<string, Operation>): void {
  for (let index = 0; index < operators.length;) {
    const operation = level.get(operators[index] ?? '');
    if (!operation) {
      index += 1;
      continue;
    }
    const [left = NaN, right = NaN] = operands.slice(index, index + 2);
    operands.splice(index, 2, operation(left, right));
    operators.splice(index, 1);
  }
}

function operand(text: string, measures: Measures): number {
  switch (text) {
    case 'w':
      return measures.width;
    case 'h':
      return measures.height;
    case 'ar':
      return measures.width / measures.height;
    case 'iw':
      return measures.initialWidth;
    case 'ih':
      return measures.initialHeight;
    case 'iar':
      return measures.initialWidth / measures.initialHeight;
    case 'pc':
      return measures.pageCount;
    case 'cp':
      return measures.currentPage;
    case 'fc':
    case 'px':
    case 'py':
      throw new RenderError(
        400,
        `Measure ${text} is not supported: there are no detected faces or layers of a PSD`,
      );
    default:
      return Number(text);
  }
}
