import type { ComponentValues } from '../transformations/component.js';
import type { MappedChain } from '../transformations/transformation.mapper.js';
import type { ChainPart } from './base-chain.js';
import { type Bound, boundOf, type Extent, traceExtents } from './output-bound.js';
import { PolicyViolationError } from './policy.errors.js';
import type { Policy } from './policy.js';

/** How large a picture can be under a base chain and a token's steps, before the mandatory ones. */
export function outputBound({ extent }: ChainPart, chain: MappedChain): Bound {
  return boundOf(traceExtents(extent, valuesOf(chain)).at(-1) ?? extent);
}

/**
 * Holds a token's mapped steps, presets in their place, to the policy's limits of layers and size. The mandatory
 * steps are the operator's own and do not count.
 * @throws {PolicyViolationError} 403
 */
export function checkOutput(policy: Policy, chain: MappedChain): void {
  const { max_layers: layers, max_width: width, max_height: height } = policy.document;
  if (layers === undefined && width === undefined && height === undefined) return;
  const components = valuesOf(chain);
  if (layers !== undefined) checkLayers(layers, components, chain);
  if (width === undefined && height === undefined) return;
  const { extent: base } = policy.baseChain.sized.attached;
  const extents = traceExtents(base, components);
  if (width !== undefined) checkSide(WIDTH, width, base, extents, components, chain);
  if (height !== undefined) checkSide(HEIGHT, height, base, extents, components, chain);
}

const valuesOf = (chain: MappedChain): readonly ComponentValues[] => chain.steps.map((step) => step.values());

function checkLayers(most: number, components: readonly ComponentValues[], chain: MappedChain): void {
  let count = 0;
  for (const [index, values] of components.entries()) {
    // Of a named transformation nobody here knows how many layers it has.
    const key = LAYERED.find(([code]) => values.has(code))?.[1];
    count += values.has('t') ? Infinity : Number(values.has('l')) + Number(values.has('u'));
    if (count <= most) continue;
    throw new PolicyViolationError({
      rule: 'max_layers',
      limit: most,
      ...atStep(chain, index),
      ...(key === undefined ? {} : { key }),
      detail:
        count === Infinity
          ? 'a named transformation may have any number of layers. Seal its steps, or a preset.'
          : `the token has more than ${most} layers, those of its presets included. Seal fewer.`,
    });
  }
}

const LAYERED = [
  ['t', 'transformation'],
  ['l', 'overlay'],
  ['u', 'underlay'],
] as const;

interface Axis {
  readonly side: 'width' | 'height';
  readonly code: 'w' | 'h';
  readonly word: string;
}

const WIDTH: Axis = { side: 'width', code: 'w', word: 'wide' };
const HEIGHT: Axis = { side: 'height', code: 'h', word: 'high' };

function checkSide(
  axis: Axis,
  most: number,
  base: Extent,
  extents: readonly Extent[],
  components: readonly ComponentValues[],
  chain: MappedChain,
): void {
  const rule = `max_${axis.side}` as const;
  let before = boundOf(base)[axis.side];
  let raisedAt: number | undefined;
  let changedAt: number | undefined;
  for (const [index, values] of components.entries()) {
    const asked = askedPixels(values, axis);
    if (asked > most) {
      throw new PolicyViolationError({
        rule,
        limit: most,
        ...atStep(chain, index),
        key: Number(values.get(axis.code)) > most ? axis.side : 'dpr',
        detail: `step ${chain.steps[index]?.step ?? 0} asks for ${asked} pixels. At most ${most} are allowed.`,
      });
    }
    const after = boundOf(extents[index] ?? base)[axis.side];
    if (after > before) raisedAt = index;
    else if (after !== before) changedAt = index;
    if (after <= most) raisedAt = changedAt = undefined;
    before = after;
  }
  if (before <= most) return;
  const at = raisedAt ?? changedAt;
  const key = at === undefined ? undefined : raisingKey(components[at], axis);
  throw new PolicyViolationError({
    rule,
    limit: most,
    ...(at === undefined ? {} : atStep(chain, at)),
    ...(key === undefined ? {} : { key }),
    detail:
      `the picture could be ${Number.isFinite(before) ? `${before} pixels` : 'any number of pixels'} ${axis.word}. ` +
      `At most ${most} are allowed: end with both \`width\` and \`height\` in pixels, and give layers the flag ` +
      '`no_overflow`.',
  });
}

/** Pixels that a component names for a side, 0 where it names none. */
function askedPixels(values: ComponentValues, { code }: Axis): number {
  const side = values.get(code);
  if (side === undefined || !/^\d+$/.test(side)) return 0;
  const dpr = Number(values.get('dpr') ?? 1);
  return Math.max(1, Number.isNaN(dpr) ? 1 : dpr) * Number(side);
}

/** Codes that can make a picture larger by themselves, the likeliest reason first; then those of one side alone. */
const RAISING: readonly (readonly [code: string, key: string])[] = [
  ['dpr', 'dpr'],
  ['t', 'transformation'],
  ['l', 'overlay'],
  ['u', 'underlay'],
  ['bo', 'border'],
  ['a', 'angle'],
  ['z', 'zoom'],
  ['ar', 'aspect_ratio'],
];
const SIDES: readonly (readonly [code: string, key: string])[] = [
  ['w', 'width'],
  ['h', 'height'],
  ['e', 'effect'],
  ['pg', 'page'],
  ['dn', 'density'],
  ['fl', 'flags'],
];

function raisingKey(values: ComponentValues | undefined, { code, side }: Axis): string | undefined {
  const candidates = [...RAISING, [code, side] as const, ...SIDES];
  return candidates.find(([each]) => values?.has(each))?.[1];
}

const atStep = (chain: MappedChain, index: number): { readonly step: number } => ({
  step: chain.steps[index]?.step ?? index + 1,
});
