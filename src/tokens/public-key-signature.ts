import { constants, type KeyObject, type SignKeyObjectInput, verify } from 'node:crypto';
import type { CompactJws } from './compact-jws.js';
import type { PublicKey, PublicKeyAlgorithm } from './signing-key.js';

/** The digest, null where the algorithm has its own, and how the signature is encoded. */
const VERIFIERS = {
  EdDSA: { digest: null, options: {}, bytes: 64 },
  // JWS signatures are r and s alone (RFC 7518 §3.4); OpenSSL's default is DER.
  ES256: { digest: 'sha256', options: { dsaEncoding: 'ieee-p1363' }, bytes: 64 },
  RS256: { digest: 'sha256', options: { padding: constants.RSA_PKCS1_PADDING }, bytes: null },
  PS256: {
    digest: 'sha256',
    // RFC 7518 §3.5: the salt is as long as the digest.
    options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
    bytes: null,
  },
} as const satisfies Record<
  PublicKeyAlgorithm,
  {
    readonly digest: string | null;
    readonly options: Omit<SignKeyObjectInput, 'key'>;
    /** The signature's length; null for that of the modulus. */
    readonly bytes: number | null;
  }
>;

/**
 * Whether the private key of this public key signed the token, with the key's own algorithm (RFC 7515 §5.2). Its claims
 * are not checked. Costs 30 to 130 µs.
 */
export function isSignedByPublicKey(
  jws: CompactJws,
  { algorithm, publicKey }: Pick<PublicKey, 'algorithm' | 'publicKey'>,
): boolean {
  if (jws.algorithm !== algorithm) return false;
  const { digest, options, bytes } = VERIFIERS[algorithm];
  const signature = Buffer.from(jws.signature, 'base64url');
  if (signature.length !== (bytes ?? modulusBytesOf(publicKey))) return false;
  return verify(digest, Buffer.from(jws.signingInput), { key: publicKey, ...options }, signature);
}

function modulusBytesOf({ asymmetricKeyDetails }: KeyObject): number {
  return Math.ceil((asymmetricKeyDetails?.modulusLength ?? 0) / 8);
}
