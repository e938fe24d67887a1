import type { Range, Shape } from '../../src/transformations/grammar.js';

/** What a control needs of a grammar's shape. */
export interface Hints {
  readonly integer: Range | null;
  readonly decimal: Range | null;
  /** Words and examples to pick from. */
  readonly suggestions: readonly string[];
  /** Whether only the suggestions are valid. */
  readonly closed: boolean;
}

const NOTHING: Hints = { integer: null, decimal: null, suggestions: [], closed: false };

/** Flattens a shape; combines several alternatives. */
export function hintsOf(shape: Shape | null): Hints {
  switch (shape?.kind) {
    case undefined:
      return NOTHING;
    case 'number': {
      const { integer = null, decimal = null, words } = shape;
      return { integer, decimal, suggestions: words, closed: false };
    }
    case 'words':
      return { ...NOTHING, suggestions: shape.words, closed: true };
    case 'pattern':
      return { ...NOTHING, suggestions: shape.examples };
    case 'list':
      return { ...hintsOf(shape.of), closed: false };
    case 'any_of': {
      const all = shape.of.map(hintsOf);
      return {
        integer: all.find(({ integer }) => integer !== null)?.integer ?? null,
        decimal: all.find(({ decimal }) => decimal !== null)?.decimal ?? null,
        suggestions: [...new Set(all.flatMap(({ suggestions }) => suggestions))],
        closed: all.every(({ closed }) => closed),
      };
    }
  }
}

/** The widest range for a slider of whole numbers. */
const WIDEST_SLIDER = 720;

export function sliderOf({ integer, decimal }: Hints): Range | null {
  return integer !== null && decimal === null && integer[1] - integer[0] <= WIDEST_SLIDER ? integer : null;
}

/** The ranges in a few words: "1 to 100, or 0.1 to 10". */
export function rangesOf({ integer, decimal }: Hints): string {
  const written = (range: Range, point: boolean): string =>
    range
      .map((end) => (point && Number.isInteger(end) ? end.toFixed(1) : String(end).replace('-', '−')))
      .join(' to ');
  return [
    ...(integer === null ? [] : [written(integer, false)]),
    ...(decimal === null ? [] : [written(decimal, true)]),
  ].join(', or ');
}
