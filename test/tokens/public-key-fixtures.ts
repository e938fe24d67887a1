import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { PublicKey, PublicKeyAlgorithm } from '../../src/tokens/signing-key.js';
import { SEED_CLAIMS } from './token-fixtures.js';

/** A private key with its public key, which verifies at `id`. */
export interface KeyPair {
  readonly id: string;
  readonly algorithm: PublicKeyAlgorithm;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** In PEM. */
  readonly pem: string;
}

const rsa = (bits: number): KeyObject => generateKeyPairSync('rsa', { modulusLength: bits }).privateKey;

export const PRIVATE_KEYS = {
  EdDSA: generateKeyPairSync('ed25519').privateKey,
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  RS256: rsa(2048),
  PS256: rsa(2048),
} as const satisfies Record<PublicKeyAlgorithm, KeyObject>;

export function makeKeyPair(
  algorithm: PublicKeyAlgorithm,
  id = `key-of-${algorithm}`,
  privateKey: KeyObject = PRIVATE_KEYS[algorithm],
): KeyPair {
  const publicKey = createPublicKey(privateKey);
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  return { id, algorithm, privateKey, publicKey, pem };
}

/** The key as the directory has it. */
export function publicKeyOf(
  { id, algorithm, publicKey }: KeyPair,
  overrides: Partial<PublicKey> = {},
): PublicKey {
  return { id, algorithm, publicKey, isRow: true, notBefore: null, notAfter: null, ...overrides };
}

interface SignOptions {
  readonly header?: object;
  readonly payload?: object;
  /** How ES256's signature is encoded; the algorithm requires the first. */
  readonly encoding?: 'ieee-p1363' | 'der';
}

/** Signs any header and payload with node:crypto, by the key's algorithm. */
export function signWithKey(
  { id, algorithm, privateKey }: KeyPair,
  {
    header = { typ: 'JWT', alg: algorithm, kid: id },
    payload = SEED_CLAIMS,
    encoding = 'ieee-p1363',
  }: SignOptions = {},
): string {
  const input = [header, payload]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${input}.${signInput(algorithm, privateKey, input, encoding).toString('base64url')}`;
}

function signInput(
  algorithm: PublicKeyAlgorithm,
  key: KeyObject,
  input: string,
  dsaEncoding: 'ieee-p1363' | 'der',
): Buffer {
  const bytes = Buffer.from(input);
  switch (algorithm) {
    case 'EdDSA':
      return sign(null, bytes, key);
    case 'ES256':
      return sign('sha256', bytes, { key, dsaEncoding });
    case 'RS256':
      return sign('sha256', bytes, key);
    case 'PS256':
      // RSA_PKCS1_PSS_PADDING, and a salt as long as the digest.
      return sign('sha256', bytes, { key, padding: 6, saltLength: 32 });
  }
}
