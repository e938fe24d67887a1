import type { Shape } from '../../transformations/grammar.js';

/** A parameter of a step. */
export interface ParameterEntry {
  readonly key: string;
  /** In the URL; empty for `size`. */
  readonly code: string;
  readonly kind: 'value' | 'layer' | 'asset' | 'flags' | 'size';
  readonly help: string;
  readonly allowed: string;
  readonly source: string;
  /** The shape of the value in the step itself. */
  readonly shape: Shape | null;
}

export interface FlagEntry {
  readonly name: string;
  readonly scope: 'layer' | 'picture';
  readonly help: string;
  readonly argument: Shape | null;
}

export interface EffectEntry {
  readonly name: string;
  readonly allowed: string;
  /** The shape of its argument, if it has exactly one. */
  readonly argument: Shape | null;
}

/** A member of a text layer's object, beside `text`. */
export interface TextMemberEntry {
  readonly key: string;
  readonly allowed: string;
  readonly shape: Shape;
}

/** The vocabulary of steps as data, from which the playground's controls are generated. */
export interface VocabularyDocument {
  readonly max_steps: number;
  readonly max_layers: number;
  /** Maximum UTF-16 units of a text layer. */
  readonly longest_text: number;
  readonly parameters: readonly ParameterEntry[];
  readonly flags: readonly FlagEntry[];
  readonly effects: readonly EffectEntry[];
  readonly text_layer: readonly TextMemberEntry[];
}
