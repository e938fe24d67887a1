import { createSecretKey, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Soon } from '../directory/soon.js';
import { type Issuer, IssuerFinder } from '../issuers/issuer.js';
import type { LockedKey, SigningKey } from './signing-key.js';
import { RevocationFinder } from '../revocations/revocation.js';
import { type CompactJws, readCompactJws, readPayload } from './compact-jws.js';
import { isSignedBy } from './jws-signature.js';
import { isIssuedBefore, readClaims, type TokenClaims } from './token-claims.js';
import type { JsonObject } from './strict-json.js';
import { InvalidTokenError, IssuerUnavailableError } from './token.errors.js';
import { isCanonicalUuid } from './uuid.js';

/** A token whose signature and times hold. */
export interface VerifiedToken {
  readonly issuer: Issuer;
  /** The key that signed it. */
  readonly key: SigningKey;
  readonly claims: TokenClaims;
  /** When that was so, in seconds since 1970: one moment for the token and for what its policy asks of it. */
  readonly verifiedAt: number;
}

/** Nobody's key: what a token is checked against when there is no key to check it against. */
const DECOY_SECRET = createSecretKey(randomBytes(32));

/** The gate every token passes: form, header, payload, issuer, signature, and only then its claims. */
@Injectable()
export class TokenService {
  constructor(
    private readonly issuers: IssuerFinder,
    private readonly revocations: RevocationFinder,
  ) {}

  /**
   * @param token The raw query value: anything but one non-empty string is refused.
   * @returns No promise where all is known; then what is wrong is thrown at once.
   * @throws InvalidTokenError (401) @throws IssuerUnavailableError (503); errors of the IssuerFinder, such as 503, pass through
   */
  verify(token: unknown): Soon<VerifiedToken> {
    const jws = readCompactJws(token);
    const payload = readPayload(jws);
    const issuer = this.findIssuer(payload['iss']);
    return issuer instanceof Promise
      ? issuer.then((known) => this.verifyAs(known, jws, payload))
      : this.verifyAs(issuer, jws, payload);
  }

  private verifyAs(known: Issuer | null, jws: CompactJws, payload: JsonObject): Soon<VerifiedToken> {
    const issuer = known === null || known.disabled ? null : known;
    const now = Date.now();
    const key = this.findSigner(jws, issuer, now);
    if (issuer === null || key === null) throw InvalidTokenError.because('not_accepted');
    const verifiedAt = now / 1000;
    const claims = readClaims(payload, issuer.id, verifiedAt, issuer.policy?.document.claims);
    if (isIssuedBefore(claims, issuer.notBefore)) throw InvalidTokenError.because('not_accepted');
    const verified = { issuer, key, claims, verifiedAt };
    const revoked = this.revocations.isRevoked(issuer.id, claims);
    return revoked instanceof Promise
      ? revoked.then((known) => unlessRevoked(known, verified))
      : unlessRevoked(revoked, verified);
  }

  private findIssuer(iss: unknown): Soon<Issuer | null> {
    // Only the canonical spelling reaches the directory: others would fill its cache with names for one issuer.
    return isCanonicalUuid(iss) ? this.issuers.findIssuer(iss) : null;
  }

  private findSigner(jws: CompactJws, issuer: Issuer | null, now: number): SigningKey | null {
    let locked = false;
    let compared = false;
    for (const key of issuer === null ? [] : candidatesOf(issuer, jws.keyId, now)) {
      // The algorithm is the row's: a header that names another never gets to choose one.
      if (key.algorithm !== jws.algorithm || !isLive(key, now)) continue;
      if (key.secret === null) {
        locked = true;
        continue;
      }
      compared = true;
      if (isSignedBy(jws, key)) return key;
    }
    // The same HMAC as for a bad signature, so that the time taken does not tell which issuers exist.
    if (!compared) isSignedBy(jws, { secret: DECOY_SECRET, algorithm: jws.algorithm });
    // A 401 would be final for a token that may well be good.
    if (locked) throw new IssuerUnavailableError();
    return null;
  }
}

/** @throws InvalidTokenError (401) */
function unlessRevoked(revoked: boolean, verified: VerifiedToken): VerifiedToken {
  if (revoked) throw InvalidTokenError.because('not_accepted');
  return verified;
}

/**
 * Keys that may have signed the token, newest first: the live one that `kid` names alone, where it names one. A `kid`
 * that names no live key of this issuer (a path, SQL, another issuer's key) has no effect.
 */
function candidatesOf(
  { keys, lockedKeys }: Issuer,
  keyId: string | null,
  now: number,
): readonly (SigningKey | LockedKey)[] {
  const all = lockedKeys.length === 0 ? keys : [...keys, ...lockedKeys];
  if (keyId === null) return all;
  for (const key of all) {
    if (key.id === keyId && isLive(key, now)) return [key];
  }
  return all;
}

/** Whether a key counts at this moment, in milliseconds since 1970. */
export function isLive(
  { notBefore, notAfter }: Pick<SigningKey, 'notBefore' | 'notAfter'>,
  now: number,
): boolean {
  return (
    (notBefore === null || notBefore.getTime() <= now) && (notAfter === null || now < notAfter.getTime())
  );
}
