import {
  CLAIM_SYNONYMS,
  type ClaimProfile,
  COMMON_CLAIMS,
  type KnownNames,
  KNOWN_NAMES,
  REGISTERED_CLAIMS,
} from '../tokens/claim-names.js';
import { settingsOf, type TokenClaims } from '../tokens/token-claims.js';
import { InvalidTokenError } from '../tokens/token.errors.js';
import { printable } from '../domain/printable.js';
import { NearNames, plainName } from '../domain/near-names.js';
import { nearStepKey, PARAMETER_BY_KEY, PRESET_KEY } from '../transformations/vocabulary.js';
import { selectBaseChain } from './base-chain.js';
import type { Policy } from './policy.js';

/** A claim, or a member of one, that has no effect. */
export interface IgnoredClaim {
  /** Its name; `sharinpix.<member>` for a member. */
  readonly claim: string;
  /** A short sentence without a subject: "unknown claim". */
  readonly reason: string;
  /** The known name that was probably intended. */
  readonly near?: string;
}

/** The names that a profile reads, indexed. */
interface Names {
  readonly claims: ReadonlySet<string>;
  readonly members: ReadonlySet<string>;
  readonly nearClaims: NearNames;
  readonly nearMembers: NearNames;
}

const makeNames = ({ claims, members }: KnownNames): Names => ({
  claims: new Set(claims),
  members: new Set(members),
  nearClaims: new NearNames(claims, [...REGISTERED_CLAIMS, ...COMMON_CLAIMS], CLAIM_SYNONYMS),
  nearMembers: new NearNames(members, []),
});

const NAMES: Readonly<Record<ClaimProfile, Names>> = {
  pixseal: makeNames(KNOWN_NAMES.pixseal),
  sharinpix: makeNames(KNOWN_NAMES.sharinpix),
};

/** A proxied image is named by this service, whatever the profile. */
const PROXIED_NAMES = makeNames({
  claims: KNOWN_NAMES.pixseal.claims,
  members: [...KNOWN_NAMES.pixseal.members, 'filename'],
});

const namesOf = ({ isProxied, document: { claims = 'pixseal' } }: Policy): Names =>
  isProxied && claims === 'pixseal' ? PROXIED_NAMES : NAMES[claims];

/**
 * Refuses claims that were probably intended to have an effect and have none: the token would permit more than its
 * signer intended. Costs one look-up for each known name.
 * @throws {InvalidTokenError} 401
 */
export function checkClaims(policy: Policy, { payload }: TokenClaims): void {
  const names = namesOf(policy);
  // A parsed payload has only own members, and `for…in` allocates no list of them.
  for (const claim in payload) {
    if (!names.claims.has(claim)) refuseClaim(policy, names, claim, payload[claim]);
  }
  if (policy.lenient) return;
  const settings = settingsOf(payload);
  for (const member in settings) {
    if (names.members.has(member)) continue;
    const near = findNearMember(names, member);
    if (near !== null) refuseName(`sharinpix.${member}`, near);
  }
}

function refuseClaim(policy: Policy, names: Names, claim: string, value: unknown): void {
  if (policy.document.strict === true && isUnboundId(names, claim) && containsUuid(value)) {
    throw InvalidTokenError.ofClaim(
      `The claim \`${printable(claim)}\` does not bind the token to an image. Sign \`image_id\` instead.`,
    );
  }
  if (policy.lenient) return;
  const near = names.nearClaims.find(claim);
  if (near !== null) refuseName(claim, near);
  const key = findStepKey(claim);
  if (key === null) return;
  const found = `\`${printable(claim)}\` is not a claim.`;
  throw InvalidTokenError.ofClaim(
    key === claim
      ? `${found} Move it into a step of \`transformations\`, and sign a new token.`
      : `${found} Did you mean \`${key}\` in a step of \`transformations\`? Move it there, and sign a new token.`,
  );
}

function refuseName(name: string, near: string): never {
  throw InvalidTokenError.ofClaim(
    `\`${printable(name)}\` is not a claim. Did you mean \`${near}\`? Correct it, and sign a new token.`,
  );
}

/** Whether a claim is SharinPix's id of the image, under a profile that does not read it. */
const isUnboundId = ({ claims }: Names, claim: string): boolean =>
  !claims.has('id') && plainName(claim) === 'id';

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/i;

/** Whether a value contains a UUID: in a list, an object or a text. */
const containsUuid = (value: unknown): boolean => UUID.test(JSON.stringify(value));

/** The key of a step that a claim equals or resembles, or null. */
function findStepKey(claim: string): string | null {
  if (PARAMETER_BY_KEY.has(claim) || claim === PRESET_KEY) return claim;
  const near = nearStepKey(claim);
  return near === null || REGISTERED_CLAIMS.has(claim) || COMMON_CLAIMS.has(plainName(claim)) ? null : near;
}

/** The member or claim that an unknown member of `sharinpix` resembles, or null. */
function findNearMember(names: Names, member: string): string | null {
  const near = names.nearMembers.find(member);
  if (near !== null) return `sharinpix.${near}`;
  if (names.claims.has(member)) return member;
  return names.nearClaims.find(member) ?? (isUnboundId(names, member) ? 'image_id' : null);
}

/** Every claim of a token that has no effect, with the reason. */
export function findIgnoredClaims(policy: Policy, claims: TokenClaims): readonly IgnoredClaim[] {
  const names = namesOf(policy);
  const { payload } = claims;
  const { sharinpix } = payload;
  return [
    ...Object.keys(payload)
      .filter((claim) => !names.claims.has(claim))
      .map((claim) => explainClaim(names, claim)),
    ...(claims.original && payload['transformations'] !== undefined
      ? [{ claim: 'transformations', reason: '`sharinpix.original` omits all steps' }]
      : []),
    ...(sharinpix === undefined || sharinpix === settingsOf(payload)
      ? []
      : [{ claim: 'sharinpix', reason: 'is not an object' }]),
    ...Object.entries(settingsOf(payload)).flatMap(([member, value]) => {
      const ignored = explainMember(policy, claims, member, value);
      return ignored === null ? [] : [{ claim: `sharinpix.${member}`, ...ignored }];
    }),
  ];
}

function explainClaim(names: Names, claim: string): IgnoredClaim {
  if (REGISTERED_CLAIMS.has(claim)) return { claim, reason: 'a registered claim that Pixseal does not use' };
  if (isUnboundId(names, claim)) {
    return { claim, reason: 'only the policy `claims: "sharinpix"` binds by it', near: 'image_id' };
  }
  const near = names.nearClaims.find(claim);
  if (near !== null) return { claim, reason: 'unknown claim', near };
  const key = findStepKey(claim);
  if (key !== null) {
    const reason = 'belongs in a step of `transformations`';
    return key === claim ? { claim, reason } : { claim, reason, near: key };
  }
  return names.members.has(claim)
    ? { claim, reason: 'belongs in `sharinpix`', near: `sharinpix.${claim}` }
    : { claim, reason: 'unknown claim' };
}

/** Null for a member that has its effect. */
function explainMember(
  policy: Policy,
  claims: TokenClaims,
  member: string,
  value: unknown,
): Omit<IgnoredClaim, 'claim'> | null {
  const names = namesOf(policy);
  if (!names.members.has(member)) {
    if (NAMES.sharinpix.members.has(member)) {
      return { reason: 'only the policy `claims: "sharinpix"` reads it' };
    }
    const near = findNearMember(names, member);
    return { reason: 'unknown member', ...(near === null ? {} : { near }) };
  }
  const reason =
    member === 'filename'
      ? reasonOfFilename(policy, claims, value)
      : typeof value !== 'boolean'
        ? 'only `true` and `false` have an effect'
        : member === 'full_size' && value
          ? reasonOfFullSize(policy, claims)
          : null;
  return reason === null ? null : { reason };
}

function reasonOfFilename(
  { baseChain, document, isProxied }: Policy,
  claims: TokenClaims,
  value: unknown,
): string | null {
  if (isProxied) return typeof value === 'string' && value !== '' ? null : 'must be text';
  if (claims.filename === null) return 'must be text';
  if (claims.original && document.original === 'download')
    return 'Cloudinary names the download of an original';
  if (!claims.download) return 'has no effect beside `download: false`';
  const named = selectBaseChain(baseChain, claims).path;
  return named === selectBaseChain(baseChain, { ...claims, filename: null }).path
    ? 'the base chain offers no download to name'
    : null;
}

function reasonOfFullSize({ baseChain, document }: Policy, { original }: TokenClaims): string | null {
  if (original) return '`sharinpix.original` omits the base chain';
  if (baseChain.fullSize !== baseChain.sized) return null;
  return document.max_width === undefined && document.max_height === undefined
    ? 'the first component of the base chain sets no size'
    : 'the policy limits the size';
}
