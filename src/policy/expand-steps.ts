import { isObject } from '../domain/is-object.js';
import { findIgnoredKeys, type IgnoredKey, refuseNearKey } from '../transformations/mapped-step.js';
import { InvalidTransformationError } from '../transformations/transformation.errors.js';
import { hasNoValue, PARAMETER_BY_KEY, PRESET_KEY } from '../transformations/vocabulary.js';
import { PolicyViolationError } from './policy.errors.js';
import type { Policy } from './policy.js';

/** A token's steps with its presets expanded. */
export interface ExpandedSteps {
  /** For the mapper, which refuses anything but a list of steps. */
  readonly steps: unknown;
  /** The 1-based number of each step in the token; empty if no preset shifts it. */
  readonly numbers: readonly number[];
  /** Names of presets by the number of the step that calls them. */
  readonly presets: ReadonlyMap<number, string>;
}

const NO_NUMBERS: readonly number[] = [];
const NO_PRESETS: ReadonlyMap<number, string> = new Map();

/** Steps without presets. */
const unexpanded = (steps: unknown): ExpandedSteps => ({ steps, numbers: NO_NUMBERS, presets: NO_PRESETS });

export const NO_STEPS: ExpandedSteps = unexpanded(undefined);

/**
 * Expands presets, and checks the keys of the token's own steps against the policy.
 * @throws {PolicyViolationError} 403
 * @throws {InvalidTransformationError} 422 for an unknown preset, and for an unknown key under `strict`.
 */
export function expandSteps(policy: Policy, transformations: unknown): ExpandedSteps {
  if (!Array.isArray(transformations)) return unexpanded(transformations);
  let number = 0;
  for (const step of transformations as readonly unknown[]) {
    if (callsPreset(step)) return expandPresets(policy, transformations);
    number += 1;
    checkOwnStep(policy, step, number);
    checkCount(policy, number, number);
  }
  return unexpanded(transformations);
}

function expandPresets(policy: Policy, transformations: readonly unknown[]): ExpandedSteps {
  const steps: unknown[] = [];
  const numbers: number[] = [];
  const presets = new Map<number, string>();
  for (const [index, step] of transformations.entries()) {
    const number = index + 1;
    let own: readonly unknown[] = [step];
    if (callsPreset(step)) {
      const name = readPreset(policy, step, number);
      presets.set(number, name);
      own = policy.presets.get(name) ?? [];
    } else checkOwnStep(policy, step, number);
    for (const each of own) {
      steps.push(each);
      numbers.push(number);
    }
    checkCount(policy, steps.length, number);
  }
  return { steps, numbers, presets };
}

type Step = Readonly<Record<string, unknown>>;

function callsPreset(step: unknown): step is Step {
  return isObject(step) && Object.hasOwn(step, PRESET_KEY);
}

/** The name of the preset that a step calls. */
function readPreset(policy: Policy, step: Step, number: number): string {
  const name = step[PRESET_KEY];
  // Never ignored like an unknown key: a watermark would silently be missing.
  if (typeof name !== 'string' || !policy.presets.has(name)) {
    throw new InvalidTransformationError({
      step: number,
      key: PRESET_KEY,
      value: name,
      allowed:
        policy.presets.size === 0
          ? 'nothing: the issuer has no presets'
          : [...policy.presets.keys()].join(', '),
    });
  }
  for (const key of Object.keys(step)) {
    if (key === PRESET_KEY) continue;
    const parameter = PARAMETER_BY_KEY.get(key);
    if (parameter !== undefined) {
      if (hasNoValue(parameter, step[key])) continue;
      throw new InvalidTransformationError({
        step: number,
        key,
        allowed: 'no parameter in a step with `preset`',
      });
    }
    refuseUnknown(policy, key, number);
    if (!policy.lenient) refuseNearKey(key, number);
  }
  return name;
}

/** Keys without effect beside `preset` in a step of a token; empty for other steps. */
export function findIgnoredBeside(step: unknown): readonly IgnoredKey[] {
  return callsPreset(step) ? findIgnoredKeys(step).filter(({ key }) => key !== PRESET_KEY) : [];
}

function checkOwnStep(policy: Policy, step: unknown, number: number): void {
  const { document, allowedKeys, deniedKeys } = policy;
  if (document.presets_only === true) {
    throw new PolicyViolationError({
      rule: 'presets_only',
      limit: [...policy.presets.keys()],
      step: number,
      detail: `step ${number} is not a preset. Sign steps like {"preset":"<name>"}.`,
    });
  }
  if (!isObject(step) || (allowedKeys === null && deniedKeys.size === 0 && document.strict !== true)) return;
  for (const key of Object.keys(step)) {
    const parameter = PARAMETER_BY_KEY.get(key);
    if (parameter === undefined) {
      refuseUnknown(policy, key, number);
      continue;
    }
    if (hasNoValue(parameter, step[key])) continue;
    const violation = { step: number, key, detail: `step ${number} uses \`${key}\`. Remove it.` };
    if (allowedKeys !== null && !appliesToAll(key, (each) => allowedKeys.has(each))) {
      throw new PolicyViolationError({ rule: 'allowed_keys', limit: [...allowedKeys], ...violation });
    }
    if (appliesToAny(key, (each) => deniedKeys.has(each))) {
      throw new PolicyViolationError({ rule: 'denied_keys', limit: [...deniedKeys], ...violation });
    }
  }
}

/** `size` is the SDK's short form of both sides, and their rules apply to it. */
const SIDES = ['width', 'height'];

const appliesToAll = (key: string, holds: (key: string) => boolean): boolean =>
  holds(key) || (key === 'size' && SIDES.every(holds));
const appliesToAny = (key: string, holds: (key: string) => boolean): boolean =>
  holds(key) || (key === 'size' && SIDES.some(holds));

function refuseUnknown({ document }: Policy, key: string, step: number): void {
  if (document.strict !== true) return;
  refuseNearKey(key, step);
  throw new InvalidTransformationError({
    step,
    key,
    allowed: 'a parameter of the vocabulary (the issuer’s policy is `strict`)',
  });
}

function checkCount({ document: { max_steps: most } }: Policy, count: number, step: number): void {
  if (most === undefined || count <= most) return;
  throw new PolicyViolationError({
    rule: 'max_steps',
    limit: most,
    step,
    detail: `the token has more than ${most} steps, those of its presets included. Use fewer.`,
  });
}
