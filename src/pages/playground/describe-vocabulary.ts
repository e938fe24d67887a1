import { effect, type EffectForm, EFFECTS } from '../../transformations/effects.js';
import { FLAGS } from '../../transformations/flags.js';
import type { Shape } from '../../transformations/grammar.js';
import { LONGEST_TEXT, TEXT_LAYER_MEMBERS } from '../../transformations/text-layer.js';
import { MAX_LAYERS, MAX_STEPS } from '../../transformations/transformation.mapper.js';
import { PARAMETERS } from '../../transformations/vocabulary.js';
import type { VocabularyDocument } from './vocabulary.document.js';

/** The table of `src/transformations/` as data. */
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
    flags: FLAGS.map(({ name, scope, help, argument }) => ({
      name,
      scope,
      help,
      argument: argument?.shape ?? null,
    })),
    effects: [...EFFECTS].map(([name, forms]) => ({
      name,
      allowed: effect.allowedFor?.(name) ?? effect.allowed,
      argument: onlyArgument(forms),
    })),
    text_layer: [...TEXT_LAYER_MEMBERS].map(([key, { allowed, shape }]) => ({ key, allowed, shape })),
  };
}

function onlyArgument([form, ...others]: readonly EffectForm[]): Shape | null {
  if (form?.kind !== 'ordered' || others.length > 0 || form.args.length !== 1) return null;
  return form.args[0]?.shape ?? null;
}
