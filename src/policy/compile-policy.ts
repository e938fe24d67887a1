import { isObject } from '../domain/is-object.js';
import { describeUnknown, NearNames } from '../domain/near-names.js';
import { canonicalUuid } from '../domain/uuid.js';
import { perMinute } from '../platform/rate-limit/rate-limit.storage.js';
import { expandEffectGroups } from '../transformations/effect-groups.js';
import { type ChainPart, DEFAULT_BASE_CHAIN, createBaseChain, createChainPart } from './base-chain.js';
import {
  mapPolicySteps,
  POLICY_MEMBERS,
  type PolicyMember,
  writeTransformationName,
} from './policy-members.js';
import { type Policy, type PolicyDocument, type StepRules, VALUE_RULES, type ValueRule } from './policy.js';

/** Seconds for which a redirect may be cached under `private` without `redirect_max_age`. */
const DEFAULT_REDIRECT_MAX_AGE = 300;

/** What is wrong with a policy: the member, and why. */
export interface PolicyFault {
  readonly key: string;
  readonly detail: string;
}

const MEMBERS: ReadonlyMap<string, PolicyMember> = new Map(Object.entries(POLICY_MEMBERS));
const memberNames = new NearNames([...MEMBERS.keys()], []);

/** All faults of a policy; whether its rows exist is not checked. */
export function findPolicyFaults(document: unknown): readonly PolicyFault[] {
  if (!isObject(document)) return [{ key: 'policy', detail: 'must be an object' }];
  return Object.entries(document).flatMap(([key, value]) => {
    const member = MEMBERS.get(key);
    const detail = member === undefined ? describeUnknown(key, memberNames) : member.findFault(value);
    return detail === null ? [] : [{ key, detail }];
  });
}

/** Prepares a policy, once for all redirects. @param document Without faults. */
export function compilePolicy(document: PolicyDocument): Policy {
  const { base_chain: components = DEFAULT_BASE_CHAIN, max_width: width, max_height: height } = document;
  const { redirect_cache: cache = 'no-store', redirect_max_age: maxAge = DEFAULT_REDIRECT_MAX_AGE } =
    document;
  return Object.freeze<Policy>({
    document,
    // A limited size excludes `full_size`.
    baseChain: createBaseChain(components, width === undefined && height === undefined),
    mandatory: mapPolicySteps(document.mandatory_steps),
    sizeLimit: sizeLimitOf(document),
    presets: new Map(Object.entries(document.presets ?? {})),
    allowedKeys: document.allowed_keys === undefined ? null : withSides(document.allowed_keys),
    deniedKeys: withSides(document.denied_keys ?? []),
    stepRules: compileStepRules(document),
    rate: document.requests_per_minute === undefined ? null : perMinute(document.requests_per_minute),
    lenient: document.lenient === true && document.strict !== true,
    isProxied: document.delivery === 'proxy',
    redirectMaxAge: cache === 'private' ? maxAge : 0,
  });
}

/**
 * A stored policy, or null for one that has faults: written by hand, or by a release with another vocabulary. No part of
 * it is used then: 503 is better than an issuer without its mandatory steps.
 */
export function readStoredPolicy(document: unknown): Policy | null {
  return findPolicyFaults(document).length > 0 ? null : compilePolicy(document as PolicyDocument);
}

/** The policy of an issuer that has none. */
export const NO_POLICY: Policy = compilePolicy({});

/** Null if no value is restricted: then a redirect does not look at them. */
function compileStepRules(document: PolicyDocument): StepRules | null {
  const {
    allowed_effects: allowedEffects,
    denied_effects: deniedEffects = [],
    deny_generative_effects: deniesGenerative = false,
    allowed_overlays: allowedOverlays,
    allowed_formats: allowedFormats,
    allowed_transformations: allowedTransformations,
    text,
  } = document;
  const inForce: Readonly<Record<ValueRule, boolean>> = {
    deny_generative_effects: deniesGenerative,
    denied_effects: deniedEffects.length > 0,
    allowed_effects: allowedEffects !== undefined,
    allowed_overlays: allowedOverlays !== undefined,
    allowed_formats: allowedFormats !== undefined,
    text: text !== undefined,
  };
  const strongestRule = VALUE_RULES.find((rule) => inForce[rule]) ?? null;
  if (strongestRule === null && allowedTransformations === undefined) return null;
  return {
    document,
    allowedEffects: allowedEffects === undefined ? null : expandEffectGroups(allowedEffects),
    deniedEffects: inForce.denied_effects ? expandEffectGroups(deniedEffects) : null,
    generative: deniesGenerative ? expandEffectGroups(['generative']) : null,
    allowedOverlays: setOf(allowedOverlays, (id) => canonicalUuid(id) ?? id),
    allowedFormats: setOf(allowedFormats),
    allowedTransformations: setOf(allowedTransformations, (name) => writeTransformationName(name) ?? name),
    longestText: text === undefined ? null : Number(text),
    strongestRule,
  };
}

const setOf = (
  names: readonly string[] | undefined,
  write = (name: string): string => name,
): ReadonlySet<string> | null => (names === undefined ? null : new Set(names.map(write)));

/** Keys of a list, in which `size` means both sides too. */
function withSides(keys: readonly string[]): ReadonlySet<string> {
  return new Set(keys.flatMap((key) => (key === 'size' ? ['size', 'width', 'height'] : [key])));
}

/** The component that ends every chain and limits the size of its image. */
function sizeLimitOf({ max_width: width, max_height: height }: PolicyDocument): ChainPart {
  const sides = [
    ...(height === undefined ? [] : [`h_${height}`]),
    ...(width === undefined ? [] : [`w_${width}`]),
  ];
  return createChainPart(sides.length === 0 ? [] : [['c_limit', ...sides].join(',')]);
}
