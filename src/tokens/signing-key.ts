import type { KeyObject } from 'node:crypto';
import type { ClaimProfile } from './claim-names.js';

/** RFC 7518 §3.2: the MAC algorithms a key row may name. */
export const HMAC_ALGORITHMS = ['HS256', 'HS384', 'HS512'] as const;
export type HmacAlgorithm = (typeof HMAC_ALGORITHMS)[number];

/** One signing key of an issuer, its secret decrypted. */
export interface SigningKey {
  readonly id: string;
  readonly algorithm: HmacAlgorithm;
  /** Not a string: jsonwebtoken would first try to read one as a public key, which costs 430 µs. */
  readonly secret: KeyObject;
  /** The key is not valid before this instant; null for no such instant. */
  readonly notBefore: Date | null;
  /** The key expires at this instant; null for never. */
  readonly notAfter: Date | null;
}

/** A key whose stored secret cannot be decrypted: it was altered, or moved from another row. */
export type LockedKey = Omit<SigningKey, 'secret'> & { readonly secret: null };

/** The columns of an issuer that the verification of a token needs. */
export interface TokenIssuer {
  /** The token's `iss`: a lower-case UUID. */
  readonly id: string;
  readonly disabled: boolean;
  /** A token with an older `iat`, or without one, is refused; null for no such instant. */
  readonly notBefore: Date | null;
  /** Newest first; expired keys may be among them. */
  readonly keys: readonly SigningKey[];
  /** A token that one of these may have signed cannot be verified now: it is refused with 503. */
  readonly lockedKeys: readonly LockedKey[];
  /** Determines what `id` and some members of `sharinpix` mean; null if it cannot be read. */
  readonly policy: { readonly document: { readonly claims?: ClaimProfile } } | null;
}
