import { createHmac } from 'node:crypto';
import { equalsInConstantTime } from '../domain/constant-time.js';
import type { CompactJws } from './compact-jws.js';
import type { HmacAlgorithm, SigningKey } from './signing-key.js';

/** RFC 7518 §3.2. */
const HASHES = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' } as const satisfies Record<
  HmacAlgorithm,
  string
>;

/**
 * Whether the token's HMAC is the key's, with the key's own algorithm (RFC 7515 §5.2), compared in constant time. Its
 * claims are not checked.
 */
export function isSignedBy(
  { algorithm, signingInput, signature }: CompactJws,
  key: Pick<SigningKey, 'secret' | 'algorithm'>,
): boolean {
  // As text, which costs less than two buffers: a canonical base64url has one spelling.
  const expected = createHmac(HASHES[key.algorithm], key.secret).update(signingInput).digest('base64url');
  return algorithm === key.algorithm && equalsInConstantTime(signature, expected);
}
