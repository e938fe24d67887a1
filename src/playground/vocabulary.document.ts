import { effect, type EffectForm, EFFECTS } from '../transformations/effects.js';
import { FLAGS } from '../transformations/flags.js';
import type { Shape } from '../transformations/grammar.js';
import { LONGEST_TEXT, TEXT_LAYER_MEMBERS } from '../transformations/text-layer.js';
import { MAX_LAYERS, MAX_STEPS } from '../transformations/transformation.mapper.js';
import { type Parameter, PARAMETERS } from '../transformations/vocabulary.js';

/** A parameter of a step. */
export interface ParameterEntry {
  readonly key: string;
  /** In the URL; empty for `size`, which has none. */
  readonly code: string;
  readonly kind: Parameter['kind'];
  readonly help: string;
  readonly allowed: string;
  readonly source: string;
  /** Where the value stands in the step itself. */
  readonly shape: Shape | null;
}

export interface FlagEntry {
  readonly name: string;
  readonly scope: 'layer' | 'picture';
  readonly argument: Shape | null;
}

export interface EffectEntry {
  readonly name: string;
  readonly allowed: string;
  /** Whether the name alone is enough. */
  readonly plain: boolean;
  /** Of its argument, where it has one and no more. */
  readonly argument: Shape | null;
}

/** A member of a text layer's object, beside `text`. */
export interface TextMemberEntry {
  readonly key: string;
  readonly allowed: string;
  readonly shape: Shape;
}

/** The vocabulary of steps as data: what the playground's controls are made from. */
export interface VocabularyDocument {
  readonly max_steps: number;
  readonly max_layers: number;
  /** UTF-16 units of a text layer. */
  readonly longest_text: number;
  readonly parameters: readonly ParameterEntry[];
  readonly flags: readonly FlagEntry[];
  readonly effects: readonly EffectEntry[];
  readonly text_layer: readonly TextMemberEntry[];
}

/** The table of `src/transformations/`, written out. */
export function describeVocabulary(): VocabularyDocument {
  return {
    max_steps: MAX_STEPS,
    max_layers: MAX_LAYERS,
    longest_text: LONGEST_TEXT,
    parameters: PARAMETERS.map((parameter) => ({
      key: parameter.key,
      code: parameter.code,
      kind: parameter.kind,
      help: parameter.help,
      allowed: parameter.allowed,
      source: parameter.source,
      shape: 'grammar' in parameter ? parameter.grammar.shape : null,
    })),
    flags: FLAGS.map(({ name, scope, argument }) => ({ name, scope, argument: argument?.shape ?? null })),
    effects: [...EFFECTS].map(([name, forms]) => ({
      name,
      allowed: effect.allowedFor?.(name) ?? effect.allowed,
      plain: forms.some(({ required }) => (typeof required === 'number' ? required : required.length) === 0),
      argument: onlyArgument(forms),
    })),
    text_layer: [...TEXT_LAYER_MEMBERS].map(([key, { allowed, shape }]) => ({ key, allowed, shape })),
  };
}

function onlyArgument([form, ...others]: readonly EffectForm[]): Shape | null {
  if (form?.kind !== 'ordered' || others.length > 0 || form.args.length !== 1) return null;
  return form.args[0]?.shape ?? null;
}
