import type { ComponentValues } from '../transformations/component.js';
import type { MappedChain } from '../transformations/transformation.mapper.js';
import type { ExpandedSteps } from './expand-steps.js';
import { PolicyViolationError } from './policy.errors.js';
import type { Policy } from './policy.js';

/**
 * Checks a token's mapped steps, presets expanded, against the policy's limits of layers and size. The mandatory steps
 * are the operator's own and are not counted. A size that no step names is not checked: the policy's own `c_limit` ends
 * the chain.
 * @throws {PolicyViolationError} 403
 */
export function checkChain(policy: Policy, chain: MappedChain): void {
  const { max_layers: layers, max_width: width, max_height: height } = policy.document;
  if (layers === undefined && width === undefined && height === undefined) return;
  const components = chain.steps.map((step) => step.values());
  if (layers !== undefined) checkLayers(layers, components, chain);
  if (width !== undefined) checkSide('width', width, components, chain);
  if (height !== undefined) checkSide('height', height, components, chain);
}

/**
 * Requires under `strict` that every step of a token has an effect: one without may be a watermark that lost its
 * overlay. Presets are the operator's own.
 * @param presets The numbers of the steps that call a preset.
 * @throws {InvalidTransformationError} 422
 */
export function checkEffects(
  { document }: Policy,
  chain: MappedChain,
  presets: ExpandedSteps['presets'],
): void {
  if (document.strict !== true) return;
  for (const step of chain.steps) {
    if (!presets.has(step.step)) step.requireEffect();
  }
}

const LAYERED = [
  ['t', 'transformation'],
  ['l', 'overlay'],
  ['u', 'underlay'],
] as const;

function checkLayers(limit: number, components: readonly ComponentValues[], chain: MappedChain): void {
  let count = 0;
  for (const [index, values] of components.entries()) {
    // The number of layers of a named transformation is unknown.
    const key = LAYERED.find(([code]) => values.has(code))?.[1];
    count += values.has('t') ? Infinity : Number(values.has('l')) + Number(values.has('u'));
    if (count <= limit) continue;
    throw new PolicyViolationError({
      rule: 'max_layers',
      limit,
      step: chain.steps[index]?.step ?? index + 1,
      ...(key === undefined ? {} : { key }),
      detail:
        count === Infinity
          ? 'a named transformation may have any number of layers. Use its steps, or a preset.'
          : `the token has more than ${limit} layers, those of its presets included. Use fewer.`,
    });
  }
}

const CODES = { width: 'w', height: 'h' } as const;

/** A side beyond the limit is a mistake of the token: it would be scaled down silently. */
function checkSide(
  side: keyof typeof CODES,
  limit: number,
  components: readonly ComponentValues[],
  chain: MappedChain,
): void {
  for (const [index, values] of components.entries()) {
    const pixels = Number(/^\d+$/.exec(values.get(CODES[side]) ?? '')?.[0] ?? 0);
    const dpr = Math.max(1, Number(values.get('dpr')) || 1);
    if (pixels * dpr <= limit) continue;
    const step = chain.steps[index]?.step ?? index + 1;
    throw new PolicyViolationError({
      rule: `max_${side}`,
      limit,
      step,
      key: pixels > limit ? side : 'dpr',
      detail: `step ${step} requests ${pixels * dpr} pixels. At most ${limit} are allowed.`,
    });
  }
}
