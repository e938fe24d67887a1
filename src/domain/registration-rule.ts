import { canonicalUuid } from './uuid.js';

/** Which metadata of an asset determines its issuer. */
export type RegistrationRule =
  /** A key of the contextual metadata, or the external id of a field of the structured one: its value is the issuer's id. */
  | { readonly by: 'context' | 'metadata'; readonly key: string }
  /** A folder, with everything below it. `issuerId` null: the id is the segment where `segments` has `ISSUER_SEGMENT`. */
  | { readonly by: 'folder'; readonly segments: readonly string[]; readonly issuerId: string | null };

/** Metadata of an asset in a notification. */
export interface AssetFacts {
  /** Without slashes at its ends; empty at the root. */
  readonly folder: string;
  readonly context: Readonly<Record<string, unknown>>;
  /** The structured metadata, by the fields' external ids. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

const ISSUER_SEGMENT = ':issuer_id';

/**
 * Reads one rule of `CLOUDINARY_REGISTER`: `context:KEY`, `metadata:FIELD`, `folder:PATH=ISSUER_ID` or
 * `folder:PATH/:issuer_id`.
 * @returns null for other text.
 */
export function readRegistrationRule(text: string): RegistrationRule | null {
  const [, by, rest = ''] = /^(context|metadata|folder):(.+)$/.exec(text) ?? [];
  if (by === 'context' || by === 'metadata') return /^[\w-]+$/.test(rest) ? { by, key: rest } : null;
  if (by !== 'folder') return null;
  const [path = '', ...ids] = rest.split('=');
  const segments = path.split('/');
  if (segments.includes('') || ids.length > 1) return null;
  const places = segments.filter((segment) => segment === ISSUER_SEGMENT).length;
  const [given] = ids;
  if (given === undefined) return places === 1 ? { by, segments, issuerId: null } : null;
  const issuerId = canonicalUuid(given);
  return places === 0 && issuerId !== null ? { by, segments, issuerId } : null;
}

/** The issuer of a new asset by the first rule that matches; null if none does. */
export function findIssuerOf(asset: AssetFacts, rules: readonly RegistrationRule[]): string | null {
  for (const rule of rules) {
    const issuerId = applyRule(rule, asset);
    if (issuerId !== null) return issuerId;
  }
  return null;
}

function applyRule(rule: RegistrationRule, asset: AssetFacts): string | null {
  if (rule.by !== 'folder') {
    const values = asset[rule.by];
    return Object.hasOwn(values, rule.key) ? canonicalUuid(values[rule.key]) : null;
  }
  const { segments, issuerId } = rule;
  const path = asset.folder.split('/');
  const within = segments.every((segment, index) => segment === ISSUER_SEGMENT || segment === path[index]);
  if (!within) return null;
  return issuerId ?? canonicalUuid(path[segments.indexOf(ISSUER_SEGMENT)]);
}
