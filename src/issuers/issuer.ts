import type { KeyObject } from 'node:crypto';
import type { Policy } from '../policy/policy.js';

/** RFC 7518 §3.2: the MAC algorithms a key row may name. */
export const HMAC_ALGORITHMS = ['HS256', 'HS384', 'HS512'] as const;
export type HmacAlgorithm = (typeof HMAC_ALGORITHMS)[number];

/** One signing key of an issuer, its secret decrypted and ready to use. */
export interface SigningKey {
  readonly id: string;
  readonly algorithm: HmacAlgorithm;
  readonly secret: KeyObject;
  /** Tokens are refused with this key before this moment. */
  readonly notBefore: Date | null;
  /** Tokens are refused with this key from this moment on. */
  readonly notAfter: Date | null;
}

/** A key whose stored secret does not open: it was altered, or moved from another row. */
export type LockedKey = Omit<SigningKey, 'secret'> & { readonly secret: null };

/** What a redirect needs to know of an issuer. */
export interface Issuer {
  /** The token's `iss`: a lower-case UUID. */
  readonly id: string;
  readonly disabled: boolean;
  /** Tokens with an older `iat`, or none, are refused; null for no such moment. */
  readonly notBefore: Date | null;
  /** Extension of every delivered URL, `jpg` by default. */
  readonly deliveryFormat: string;
  /** What its tokens may do; null where the stored policy cannot be read, and nothing may be delivered. */
  readonly policy: Policy | null;
  /** Newest first; retired ones may be among them. */
  readonly keys: readonly SigningKey[];
  /** Keys that may have sealed a token, which nobody can tell now. */
  readonly lockedKeys: readonly LockedKey[];
}

/** Looks an issuer up by its id; the directory is the one that does. */
export abstract class IssuerFinder {
  /**
   * @returns null when no such issuer exists; no promise where it is known already.
   * @throws DatabaseUnavailableError (503) on a cold entry without a database.
   */
  abstract findIssuer(id: string): Issuer | null | Promise<Issuer | null>;
}
