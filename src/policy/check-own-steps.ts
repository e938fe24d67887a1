import { effectsOf } from '../transformations/effect-groups.js';
import type { MappedStep } from '../transformations/mapped-step.js';
import type { MappedChain } from '../transformations/transformation.mapper.js';
import type { ExpandedSteps } from './expand-steps.js';
import { type PolicyViolation, PolicyViolationError } from './policy.errors.js';
import type { Policy, StepRules } from './policy.js';

/**
 * Checks the values in a token's own steps: effects, overlays, formats, named transformations and texts. Presets, the
 * base chain and the mandatory steps are the operator's own.
 * @param presets The numbers of the steps that call a preset.
 * @throws {PolicyViolationError} 403
 */
export function checkOwnSteps(
  { stepRules: rules }: Policy,
  chain: MappedChain,
  presets: ExpandedSteps['presets'],
): void {
  if (rules === null) return;
  for (const mapped of chain.steps) {
    if (presets.has(mapped.step)) continue;
    const fault = findFault(rules, mapped);
    if (fault !== null) {
      const step = mapped.step;
      throw new PolicyViolationError({ ...fault, step, detail: `step ${step} ${fault.detail}` });
    }
  }
}

/** A violation; its detail follows "step 1 ". */
type Fault = PolicyViolation & { readonly key: string };

function findFault(rules: StepRules, mapped: MappedStep): Fault | null {
  const values = mapped.values();
  return (
    findTransformationFault(rules, values.get('t')) ??
    findEffectFault(rules, values) ??
    findFormatFault(rules, values.get('f')) ??
    findOverlayFault(rules, mapped) ??
    findTextFault(rules, mapped)
  );
}

/** A named transformation can do what the other rules forbid, unless the policy allows it by its name. */
function findTransformationFault(
  { allowedTransformations: allowed, strongestRule: rule, document }: StepRules,
  written: string | undefined,
): Fault | null {
  if (written === undefined) return null;
  const key = 'transformation';
  if (allowed !== null) {
    const name = written.split('.').find((each) => !allowed.has(each));
    if (name === undefined) return null;
    const detail = `uses the named transformation \`${name}\`. Use one that \`limit\` lists.`;
    return { rule: 'allowed_transformations', limit: [...allowed], key, detail };
  }
  if (rule === null) return null;
  const detail =
    'uses a named transformation, which may have any effect. Sign a token without it, or list its name in the ' +
    'policy’s `allowed_transformations`.';
  return { rule, limit: document[rule] ?? true, key, detail };
}

function findEffectFault(rules: StepRules, values: ReturnType<MappedStep['values']>): Fault | null {
  const { allowedEffects, deniedEffects, generative, document } = rules;
  if (allowedEffects === null && deniedEffects === null && generative === null) return null;
  for (const { name, key } of effectsOf(values)) {
    const detail = `uses \`${name}\`. Sign a token without it, or one that calls a preset.`;
    if (generative?.has(name) === true) return { rule: 'deny_generative_effects', limit: true, key, detail };
    if (deniedEffects?.has(name) === true) {
      return { rule: 'denied_effects', limit: document.denied_effects ?? [], key, detail };
    }
    if (allowedEffects?.has(name) === false) {
      return { rule: 'allowed_effects', limit: document.allowed_effects ?? [], key, detail };
    }
  }
  return null;
}

function findFormatFault({ allowedFormats, document }: StepRules, format: string | undefined): Fault | null {
  if (format === undefined || allowedFormats === null || allowedFormats.has(format)) return null;
  return {
    rule: 'allowed_formats',
    limit: document.allowed_formats ?? [],
    key: 'fetch_format',
    detail: `requests the format \`${format}\`. Use one that \`limit\` lists.`,
  };
}

/** Every row counts: of layers, of default images and of fonts. */
function findOverlayFault({ allowedOverlays, document }: StepRules, mapped: MappedStep): Fault | null {
  if (allowedOverlays === null) return null;
  const row = mapped.rows.find(({ id }) => !allowedOverlays.has(id));
  if (row === undefined) return null;
  return {
    rule: 'allowed_overlays',
    limit: document.allowed_overlays ?? [],
    key: row.key,
    detail: `uses the overlay ${row.id}. Use one that \`limit\` lists.`,
  };
}

function findTextFault({ longestText, document }: StepRules, mapped: MappedStep): Fault | null {
  if (longestText === null) return null;
  const layer = mapped.texts.find(({ text: { length } }) => length > longestText);
  if (layer === undefined) return null;
  return {
    rule: 'text',
    limit: document.text ?? false,
    key: layer.key,
    detail:
      longestText === 0
        ? 'shows a text. Sign a token without it, or one that calls a preset.'
        : `shows a text of ${layer.text.length} characters. At most ${longestText} are allowed.`,
  };
}
