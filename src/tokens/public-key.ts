import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { isObject } from '../domain/is-object.js';
import type { PublicKeyAlgorithm } from './signing-key.js';

/** Bits of an RSA modulus. The minimum is RFC 7518 §3.3's; beyond the maximum, a check costs over 100 µs. */
const MIN_RSA_BITS = 2_048;
const MAX_RSA_BITS = 4_096;
/** A larger exponent slows every check down. */
const MAX_RSA_EXPONENT = 2n ** 32n;
/** Characters of a key in PEM: an RSA key of 4,096 bits has 800. */
const MAX_PEM_LENGTH = 4_096;

/** Members of a JWK that only a private or a symmetric key has (RFC 7518 §6). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** A key, or what is wrong with it: completes "`public_key` …". */
export type ReadPublicKey = { readonly key: KeyObject } | { readonly fault: string };

/** What was passed is or contains a private key. The message never contains it. */
const IS_PRIVATE =
  'must be a public key, and contains a private or secret one, which was not stored. Pass the public key, and replace this one if others may have read it';

/**
 * Reads a public key for an algorithm: SPKI or PKCS #1 in PEM, or a JWK (RFC 7517), as an object or as its JSON.
 * @param value Not trusted.
 */
export function readPublicKey(value: unknown, algorithm: PublicKeyAlgorithm): ReadPublicKey {
  const jwk = isObject(value) ? value : readJson(value);
  if (jwk !== null) return readJwk(jwk, algorithm);
  if (typeof value !== 'string' || value.length > MAX_PEM_LENGTH) return { fault: EXPECTED[algorithm] };
  if (value.includes('PRIVATE KEY')) return { fault: IS_PRIVATE };
  // OpenSSL would read a certificate too, whose validity is not checked.
  if (!/^\s*-----BEGIN (RSA )?PUBLIC KEY-----\s/.test(value)) return { fault: EXPECTED[algorithm] };
  return checkKey(() => createPublicKey(value), algorithm);
}

/** Reads a JWK whose algorithm is known. */
export function readJwk(
  jwk: Readonly<Record<string, unknown>>,
  algorithm: PublicKeyAlgorithm,
): ReadPublicKey {
  if (PRIVATE_MEMBERS.some((name) => name in jwk)) return { fault: IS_PRIVATE };
  if (jwk['alg'] !== undefined && jwk['alg'] !== algorithm) {
    return { fault: `must have the \`alg\` ${algorithm}, or none` };
  }
  return checkKey(() => createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }), algorithm);
}

/** The canonical form in which a key is stored: SPKI in PEM. */
export function writePublicKey(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString();
}

const EXPECTED = {
  EdDSA: 'must be an Ed25519 public key, in PEM or as a JWK',
  ES256: 'must be a P-256 public key, in PEM or as a JWK',
  RS256: `must be an RSA public key of ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits, in PEM or as a JWK`,
  PS256: `must be an RSA public key of ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits, in PEM or as a JWK`,
} as const satisfies Record<PublicKeyAlgorithm, string>;

function checkKey(read: () => KeyObject, algorithm: PublicKeyAlgorithm): ReadPublicKey {
  let key: KeyObject;
  try {
    key = read();
  } catch {
    // OpenSSL's message may contain a part of the key.
    return { fault: EXPECTED[algorithm] };
  }
  return isFor(key, algorithm) ? { key } : { fault: EXPECTED[algorithm] };
}

function isFor(
  { asymmetricKeyType, asymmetricKeyDetails = {} }: KeyObject,
  algorithm: PublicKeyAlgorithm,
): boolean {
  if (algorithm === 'EdDSA') return asymmetricKeyType === 'ed25519';
  if (algorithm === 'ES256') {
    return asymmetricKeyType === 'ec' && asymmetricKeyDetails.namedCurve === 'prime256v1';
  }
  const { modulusLength = 0, publicExponent = 0n } = asymmetricKeyDetails;
  return (
    asymmetricKeyType === 'rsa' &&
    modulusLength >= MIN_RSA_BITS &&
    modulusLength <= MAX_RSA_BITS &&
    // With 1, every text is a valid signature of itself.
    publicExponent >= 3n &&
    publicExponent % 2n === 1n &&
    publicExponent <= MAX_RSA_EXPONENT
  );
}

function readJson(value: unknown): Readonly<Record<string, unknown>> | null {
  if (typeof value !== 'string' || value.length > MAX_PEM_LENGTH || !value.trimStart().startsWith('{'))
    return null;
  try {
    const parsed: unknown = JSON.parse(value);
    return isObject(parsed) ? parsed : null;
  } catch {
    return null;
  }
}
