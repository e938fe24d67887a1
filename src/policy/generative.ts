import type { MappedChain } from '../transformations/transformation.mapper.js';
import type { ExpandedSteps } from './expand-steps.js';
import { PolicyViolationError } from './policy.errors.js';
import type { Policy } from './policy.js';

/**
 * Effects that invent pixels, beside those whose name begins with `gen_` (Cloudinary's reference, `e_effect`):
 * `upscale` predicts detail that the original does not have, `auto_enhance` picks among the enhancements by itself,
 * `gen_restore` and `upscale` among them. `extract`, `background_removal`, `enhance` and others use AI and keep or
 * adjust the pixels that are there.
 */
const GENERATIVE_EFFECTS: ReadonlySet<string> = new Set(['upscale', 'auto_enhance']);

/** Whether an effect, as a component has it, generates a part of the image. */
export function isGenerativeEffect(effect: string): boolean {
  const name = effect.split(':', 1).join();
  return name.startsWith('gen_') || GENERATIVE_EFFECTS.has(name);
}

/**
 * Holds a token's own steps to `deny_generative_effects`. Presets, the base chain and the mandatory steps are the
 * operator's, and not held to it.
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
