import { findRepeatedName, REPEATED } from '../tokens/repeated-name.js';
import { parseWithShares } from '../tokens/share-json.js';
import { findPolicyFaults, type PolicyFault } from './compile-policy.js';
import { mapPolicySteps } from './policy-members.js';
import type { PolicyDocument } from './policy.js';

/** Recommended for new issuers: a token names its image and expires, a misspelt key is refused, nothing is generated. */
export const RECOMMENDED_POLICY = Object.freeze({
  require_image_id: true,
  require_exp: true,
  strict: true,
  denied_effects: ['generative'],
}) satisfies PolicyDocument;

/** The name of `RECOMMENDED_POLICY` in settings and options. */
const RECOMMENDED = 'recommended';

/** A policy that was read from a text, or the text's fault. */
export type ParsedPolicy =
  { readonly document: unknown; readonly fault: null } | { readonly document: null; readonly fault: string };

/**
 * Parses the policy of a setting or an option: `recommended`, or JSON without repeated names. Other faults of the
 * document are not checked. The fault follows the name of the setting.
 */
export function parsePolicy(text: string): ParsedPolicy {
  if (text.trim() === RECOMMENDED) return { document: RECOMMENDED_POLICY, fault: null };
  let document: unknown;
  try {
    document = parseWithShares(text);
  } catch {
    return {
      document: null,
      fault: ' must be `recommended`, or a policy as JSON such as {"require_exp": true}',
    };
  }
  const repeated = findRepeatedName(text);
  return repeated === null
    ? { document, fault: null }
    : { document: null, fault: `: \`${repeated}\` ${REPEATED}` };
}

/**
 * Reads the policy of every new issuer from the setting `DEFAULT_POLICY`.
 * @returns the document, or null with all its problems, each of which follows the setting's name.
 */
export function readDefaultPolicy(text: string): {
  readonly policy: PolicyDocument | null;
  readonly problems: readonly string[];
} {
  const { document, fault } = parsePolicy(text);
  if (fault !== null) return { policy: null, problems: [fault] };
  const faults = findDefaultPolicyFaults(document);
  if (faults.length === 0) return { policy: document as PolicyDocument, problems: [] };
  return {
    policy: null,
    problems: faults.map(({ key, detail }) => (key === 'policy' ? ` ${detail}` : `: \`${key}\` ${detail}`)),
  };
}

/**
 * All faults of a policy that every new issuer gets: its own, and the rows that it names. A new issuer has no images and
 * overlays.
 */
export function findDefaultPolicyFaults(document: unknown): readonly PolicyFault[] {
  const faults = findPolicyFaults(document);
  if (faults.length > 0) return faults;
  const {
    mandatory_steps: mandatory,
    presets = {},
    allowed_overlays: overlays = [],
    placeholder,
  } = document as PolicyDocument;
  const namesOverlay = (steps: unknown): boolean => mapPolicySteps(steps).overlayIds.length > 0;
  const detail = 'must name no image or overlay: a new issuer has none';
  return [
    ...(namesOverlay(mandatory) ? [{ key: 'mandatory_steps', detail }] : []),
    ...(Object.values(presets).some(namesOverlay) ? [{ key: 'presets', detail }] : []),
    ...(overlays.length === 0 ? [] : [{ key: 'allowed_overlays', detail }]),
    ...(placeholder === undefined ? [] : [{ key: 'placeholder', detail }]),
  ];
}
