import type { MappedChain } from '../transformations/transformation.mapper.js';
import type { ExpandedSteps } from './expand-steps.js';
import { PolicyViolationError } from './policy.errors.js';
import type { Policy } from './policy.js';

/**
 * Effects that generate pixels, beside those whose name begins with `gen_` (Cloudinary's reference, `e_effect`):
 * `upscale` predicts detail that the original does not have, `auto_enhance` selects enhancements, `gen_restore` and
 * `upscale` among them, `style_transfer` repaints the image. `extract`, `background_removal`, `enhance` and others use AI to keep or adjust existing pixels.
 */
const GENERATIVE_EFFECTS: ReadonlySet<string> = new Set(['upscale', 'auto_enhance', 'style_transfer']);

/** Whether an effect, as a component's value, generates a part of the image. */
export function isGenerativeEffect(effect: string): boolean {
  const name = effect.split(':', 1).join();
  return name.startsWith('gen_') || GENERATIVE_EFFECTS.has(name);
}

/**
 * Checks a token's own steps against `deny_generative_effects`. Presets, the base chain and the mandatory steps are the
 * operator's own.
 * @param presets The numbers of the steps that call a preset.
 * @throws {PolicyViolationError} 403
 */
export function checkGenerative(
  { document }: Policy,
  chain: MappedChain,
  presets: ExpandedSteps['presets'],
): void {
  if (document.deny_generative_effects !== true) return;
  for (const mapped of chain.steps) {
    const { step } = mapped;
    if (presets.has(step)) continue;
    const values = mapped.values();
    const found = values.has('t')
      ? { key: 'transformation', what: 'a named transformation, which may have any effect' }
      : isGenerativeEffect(values.get('e') ?? '')
        ? { key: 'effect', what: 'a generative effect' }
        : values.get('b')?.startsWith('gen_fill') === true
          ? { key: 'background', what: 'a generative background' }
          : null;
    if (found === null) continue;
    throw new PolicyViolationError({
      rule: 'deny_generative_effects',
      limit: true,
      step,
      key: found.key,
      detail: `step ${step} uses ${found.what}. Sign a token without it, or one that calls a preset.`,
    });
  }
}
