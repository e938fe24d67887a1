import { createSecretKey, randomBytes } from 'node:crypto';
import { type CompactJws, readCompactJws, readPayload } from './compact-jws.js';
import { isSignedBy } from './jws-signature.js';
import type { JsonObject } from './strict-json.js';
import { isSignedByPublicKey } from './public-key-signature.js';
import { SignatureBudget, type SignatureCheck } from './signature-budget.js';
import {
  type HmacAlgorithm,
  isPublicKeyAlgorithm,
  type LockedKey,
  type PublicKey,
  type SigningKey,
  type TokenIssuer,
} from './signing-key.js';
import { isIssuedBefore, readClaims, type TokenClaims, tokenValidity } from './token-claims.js';
import { InvalidTokenError, IssuerUnavailableError } from './token.errors.js';
import { isCanonicalUuid } from '../domain/uuid.js';
import { intersect, type ValidityPeriod } from './validity-period.js';

/** A well-formed token. Nothing in it is verified yet. */
export interface UnverifiedToken {
  readonly jws: CompactJws;
  readonly payload: JsonObject;
  /** `iss` if it is a canonical UUID: other spellings would fill the caches with names of one issuer. */
  readonly issuerId: string | null;
}

/** A token with a valid signature, within its times. */
export interface VerifiedToken<T extends TokenIssuer> {
  readonly issuer: T;
  /** The key that verified it. */
  readonly key: SigningKey | PublicKey;
  readonly claims: TokenClaims;
  /** Within it, and while no row changes, `verify` accepts the same token with the same key. */
  readonly validity: ValidityPeriod;
}

/** Belongs to no issuer: tokens without a key to verify with are verified with it. */
const DECOY_SECRET = createSecretKey(randomBytes(32));

const NO_KEYS: readonly PublicKey[] = [];

/**
 * Verifies tokens: form, header, payload, issuer, signature, and only then the claims. Pure, except that the checks of
 * public-key signatures have a budget.
 */
export class TokenService {
  constructor(private readonly budget = new SignatureBudget()) {}

  /**
   * @param token The raw query value; only one non-empty string is accepted.
   * @throws InvalidTokenError (401)
   */
  read(token: unknown): UnverifiedToken {
    const jws = readCompactJws(token);
    const payload = readPayload(jws);
    const { iss } = payload;
    return { jws, payload, issuerId: isCanonicalUuid(iss) ? iss : null };
  }

  /**
   * @param found The issuer with the token's `issuerId`, or with its `iss` as an alias; null if none exists.
   * @param now Milliseconds since 1970.
   * @param jwksKeys The keys of the issuer's JWKS, if the token may be signed by one of them.
   * @throws InvalidTokenError (401) @throws TooManySignaturesError (429) @throws IssuerUnavailableError (503)
   */
  verify<T extends TokenIssuer>(
    { jws, payload, issuerId }: UnverifiedToken,
    found: T | null,
    now: number,
    jwksKeys = NO_KEYS,
  ): VerifiedToken<T> {
    let issuer = found === null || found.disabled ? null : found;
    if (issuerId === null && issuer?.issAliases.includes(payload['iss'] as string) !== true) issuer = null;
    const { algorithm } = jws;
    let key: SigningKey | PublicKey | null;
    let check: SignatureCheck | null = null;
    if (isPublicKeyAlgorithm(algorithm)) {
      const named = findPublicKey(jws, issuer, now, jwksKeys);
      if (issuer === null || named === null) throw InvalidTokenError.because('not_accepted');
      check = this.budget.take(issuer.id);
      key = isSignedByPublicKey(jws, named) ? named : null;
    } else {
      key = findSigner(jws, algorithm, issuer, now);
    }
    if (issuer === null || key === null) throw InvalidTokenError.because('not_accepted');
    const claims = readClaims(payload, issuer.id, now / 1000, issuer.policy?.document.claims);
    if (isIssuedBefore(claims, issuer.notBefore)) throw InvalidTokenError.because('not_accepted');
    if (check !== null) {
      requireAudience(payload, issuer.audience);
      this.budget.putBack(check);
    }
    return { issuer, key, claims, validity: intersect(tokenValidity(claims), periodOfSameKeys(issuer, now)) };
  }
}

/**
 * The public key that the token names: an active row with its `kid`, else a key of the JWKS. Without one, nothing is
 * checked: the shorter duration reveals only whether the issuer has a key with this `kid`.
 */
function findPublicKey(
  jws: CompactJws,
  issuer: TokenIssuer | null,
  now: number,
  jwksKeys: readonly PublicKey[],
): PublicKey | null {
  if (issuer === null) return null;
  const isNamed = (key: PublicKey | LockedKey): boolean => key.id === jws.keyId && isActive(key, now);
  const key = issuer.publicKeys.find(isNamed) ?? jwksKeys.find(isNamed);
  // Not a 401: the token may be valid.
  if (key === undefined && issuer.lockedKeys.some(isNamed)) throw new IssuerUnavailableError();
  // The key determines the algorithm, never the header.
  return key?.algorithm === jws.algorithm ? key : null;
}

/** RFC 7519 §4.1.3. @param audience Null if it is not checked. @throws InvalidTokenError (401) */
function requireAudience({ aud }: JsonObject, audience: string | null): void {
  if (audience === null || aud === audience || (Array.isArray(aud) && aud.includes(audience))) return;
  throw InvalidTokenError.because('wrong_audience');
}

function findSigner(
  jws: CompactJws,
  algorithm: HmacAlgorithm,
  issuer: TokenIssuer | null,
  now: number,
): SigningKey | null {
  let locked = false;
  let compared = false;
  for (const key of issuer === null ? [] : candidatesOf(issuer, jws.keyId, now)) {
    // The row determines the algorithm, never the header.
    if (key.algorithm !== algorithm || !isActive(key, now)) continue;
    if (key.secret === null) {
      locked = true;
      continue;
    }
    compared = true;
    if (isSignedBy(jws, key)) return key;
  }
  // The same HMAC as for a wrong signature, so that the duration does not reveal which issuers exist.
  if (!compared) isSignedBy(jws, { secret: DECOY_SECRET, algorithm });
  // Not a 401: the token may be valid.
  if (locked) throw new IssuerUnavailableError();
  return null;
}

const NO_CANDIDATES: readonly SigningKey[] = [];

/**
 * Keys that may have signed the token, newest first; if `kid` names an active key, only that one, and none if it is a
 * public key. A `kid` that names no active key of this issuer (a path, SQL, another issuer's key) has no effect.
 */
function candidatesOf(
  { keys, publicKeys, lockedKeys }: TokenIssuer,
  keyId: string | null,
  now: number,
): readonly (SigningKey | LockedKey)[] {
  const all = lockedKeys.length === 0 ? keys : [...keys, ...lockedKeys];
  if (keyId === null) return all;
  for (const key of all) {
    if (key.id === keyId && isActive(key, now)) return [key];
  }
  const isPublic = publicKeys.some((key) => key.id === keyId && isActive(key, now));
  return isPublic ? NO_CANDIDATES : all;
}

/** Whether a key is within its `not_before` and `not_after`. @param now Milliseconds since 1970. */
export function isActive(
  { notBefore, notAfter }: Pick<SigningKey, 'notBefore' | 'notAfter'>,
  now: number,
): boolean {
  return (
    (notBefore === null || notBefore.getTime() <= now) && (notAfter === null || now < notAfter.getTime())
  );
}

/** From the last to the next instant at which any of the issuer's keys becomes active or expires. */
function periodOfSameKeys({ keys, publicKeys, lockedKeys }: TokenIssuer, now: number): ValidityPeriod {
  let from = -Infinity;
  let until = Infinity;
  for (const list of [keys, publicKeys, lockedKeys]) {
    for (const { notBefore, notAfter } of list) {
      for (const date of [notBefore, notAfter]) {
        if (date === null) continue;
        const instant = date.getTime();
        if (instant <= now) from = Math.max(from, instant);
        else until = Math.min(until, instant);
      }
    }
  }
  return { from, until };
}
