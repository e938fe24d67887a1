import { keepShares } from '../tokens/share-json.js';
import { isObject } from '../domain/is-object.js';

/** Members of a policy whose values are steps. */
const STEPS = ['mandatory_steps', 'presets'] as const;

/**
 * Keeps shares such as `1.0` in the steps of a request's policy.
 * @param body What JSON.parse makes of `text`.
 */
export function keepPolicyShares(body: unknown, text: string): unknown {
  return keepShares(text, body, (plain, withShares) => {
    if (!isObject(plain) || !isObject(withShares)) return plain;
    const [policy, steps] = [plain['policy'], withShares['policy']];
    if (!isObject(policy) || !isObject(steps)) return plain;
    const kept = STEPS.filter((name) => name in steps).map((name) => [name, steps[name]] as const);
    return { ...plain, policy: { ...policy, ...Object.fromEntries(kept) } };
  });
}
