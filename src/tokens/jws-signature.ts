import { createHmac, timingSafeEqual } from 'node:crypto';
import type { HmacAlgorithm, SigningKey } from '../issuers/issuer.js';
import type { CompactJws } from './compact-jws.js';

/** RFC 7518 §3.2. */
const HASHES = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' } as const satisfies Record<
  HmacAlgorithm,
  string
>;

/**
 * True when the key, with its own algorithm, made the token's HMAC (RFC 7515 §5.2), compared in constant time. Says
 * nothing about its claims. @nestjs/jwt judges it in the tests: here it would parse the token a second time, and end
 * every forgery in an exception.
 */
export function isSignedBy(
  { algorithm, signingInput, signature }: CompactJws,
  key: Pick<SigningKey, 'secret' | 'algorithm'>,
): boolean {
  const expected = createHmac(HASHES[key.algorithm], key.secret).update(signingInput).digest();
  return (
    algorithm === key.algorithm &&
    signature.length === expected.length &&
    timingSafeEqual(signature, expected)
  );
}
