import type { KeyObject } from 'node:crypto';
import type { ClaimProfile } from './claim-names.js';

/** RFC 7518 §3.2: the MAC algorithms a key row may name. */
export const HMAC_ALGORITHMS = ['HS256', 'HS384', 'HS512'] as const;
export type HmacAlgorithm = (typeof HMAC_ALGORITHMS)[number];

/** RFC 8037 §3.1 with Ed25519, and RFC 7518 §3.3 to §3.5: the signature algorithms of a public key. */
export const PUBLIC_KEY_ALGORITHMS = ['EdDSA', 'ES256', 'RS256', 'PS256'] as const;
export type PublicKeyAlgorithm = (typeof PUBLIC_KEY_ALGORITHMS)[number];

/** Every algorithm that a key, and the header of a token, may name. */
export const TOKEN_ALGORITHMS = [...HMAC_ALGORITHMS, ...PUBLIC_KEY_ALGORITHMS] as const;
export type TokenAlgorithm = HmacAlgorithm | PublicKeyAlgorithm;

export function isPublicKeyAlgorithm(algorithm: string): algorithm is PublicKeyAlgorithm {
  return (PUBLIC_KEY_ALGORITHMS as readonly string[]).includes(algorithm);
}

/** When a key is valid. */
interface KeyPeriod {
  /** The key is not valid before this instant; null for no such instant. */
  readonly notBefore: Date | null;
  /** The key expires at this instant; null for never. */
  readonly notAfter: Date | null;
}

/** One signing key of an issuer, its secret decrypted. */
export interface SigningKey extends KeyPeriod {
  readonly id: string;
  readonly algorithm: HmacAlgorithm;
  /** Not a string: jsonwebtoken would first try to read one as a public key, which costs 430 µs. */
  readonly secret: KeyObject;
}

/** A key that verifies tokens and cannot sign them. Not a `SigningKey`, so that it is never used as an HMAC's secret. */
export interface PublicKey extends KeyPeriod {
  /** The `kid` of its tokens. */
  readonly id: string;
  readonly algorithm: PublicKeyAlgorithm;
  readonly publicKey: KeyObject;
  /** Whether it is a row; false for a key of the issuer's JWKS. */
  readonly isRow: boolean;
}

/** A key that cannot be read: its stored secret or public key was altered, or moved from another row. */
export interface LockedKey extends KeyPeriod {
  readonly id: string;
  readonly algorithm: TokenAlgorithm;
  readonly secret: null;
}

/** The columns of an issuer that the verification of a token needs. */
export interface TokenIssuer {
  /** The token's `iss`: a lower-case UUID. */
  readonly id: string;
  /** Other values of `iss` that its tokens may have. */
  readonly issAliases: readonly string[];
  readonly disabled: boolean;
  /** A token with an older `iat`, or without one, is refused; null for no such instant. */
  readonly notBefore: Date | null;
  /** Newest first; expired keys may be among them. */
  readonly keys: readonly SigningKey[];
  /** Keys without a secret; expired ones may be among them. */
  readonly publicKeys: readonly PublicKey[];
  /** A token that one of these may have signed cannot be verified now: it is refused with 503. */
  readonly lockedKeys: readonly LockedKey[];
  /** Required in the `aud` of tokens that a public key verifies; null if `aud` is not checked. */
  readonly audience: string | null;
  /** Determines what `id` and some members of `sharinpix` mean; null if it cannot be read. */
  readonly policy: { readonly document: { readonly claims?: ClaimProfile } } | null;
}
