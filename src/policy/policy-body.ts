import { isObject } from '../domain/is-object.js';
import { InvalidRequestError } from '../domain/request.errors.js';
import { findRepeatedName, REPEATED } from '../tokens/repeated-name.js';
import { keepShares } from '../tokens/share-json.js';

/** Members of a policy whose values are steps. */
const STEPS = ['mandatory_steps', 'presets'] as const;

/**
 * Reads the body of an admin's request: refuses repeated members, all but one of which `JSON.parse` drops, and keeps
 * shares such as `1.0` in the steps of a policy.
 * @param body JSON.parse's value of `text`.
 * @throws {InvalidRequestError} 422 naming the member.
 */
export function readAdminBody(body: unknown, text: string): unknown {
  const repeated = findRepeatedName(text);
  if (repeated !== null) throw new InvalidRequestError([{ key: repeated, detail: REPEATED }]);
  if (!isObject(body) || !('policy' in body)) return body;
  requireStorable(body['policy']);
  return keepShares(text, body, (plain, withShares) => {
    const [policy, steps] = [plain['policy'], withShares['policy']];
    if (!isObject(policy) || !isObject(steps)) return plain;
    const kept = STEPS.filter((name) => name in steps).map((name) => [name, steps[name]] as const);
    return { ...plain, policy: { ...policy, ...Object.fromEntries(kept) } };
  });
}

/**
 * Refuses what would be dropped or have no effect without a word. A stored policy may have it: refusing that would change
 * what its issuer serves.
 */
function requireStorable(policy: unknown): void {
  if (!isObject(policy)) return;
  const { presets, mandatory_steps: mandatory } = policy;
  const name = isObject(presets) ? Object.keys(presets).find((each) => each in Object.prototype) : undefined;
  if (name !== undefined) {
    const detail = `\`${name}\` is reserved in JavaScript. Choose another name.`;
    throw new InvalidRequestError([{ key: 'policy.presets', detail }]);
  }
  const empty = Array.isArray(mandatory) ? mandatory.findIndex(isEmptyObject) : -1;
  if (empty >= 0) {
    const detail = `step ${empty + 1}: must have a parameter`;
    throw new InvalidRequestError([{ key: 'policy.mandatory_steps', detail }]);
  }
}

const isEmptyObject = (value: unknown): boolean => isObject(value) && Object.keys(value).length === 0;
