import { hash, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { HmacAlgorithm, SigningKey } from './signing-key.js';
import { type CompactJws, MAX_TOKEN_LENGTH } from './compact-jws.js';

/** RFC 7518 §3.2, with the bytes of the hash's block (FIPS 180-4) and of the HMAC in base64url. */
const HASHES = {
  HS256: { name: 'sha256', block: 64, written: 43 },
  HS384: { name: 'sha384', block: 128, written: 64 },
  HS512: { name: 'sha512', block: 128, written: 86 },
} as const satisfies Record<HmacAlgorithm, { name: string; block: number; written: number }>;

/** A secret as HMAC hashes it, before the text and before the first hash (RFC 2104 §2). */
interface Pads {
  readonly inner: Buffer;
  readonly outer: Buffer;
}

const PADS = {
  HS256: new WeakMap<KeyObject, Pads>(),
  HS384: new WeakMap<KeyObject, Pads>(),
  HS512: new WeakMap<KeyObject, Pads>(),
} as const satisfies Record<HmacAlgorithm, WeakMap<KeyObject, Pads>>;

/** Where every HMAC is put together; nothing waits between its first byte and its last. */
const scratch = Buffer.alloc(128 + MAX_TOKEN_LENGTH);
const OUTER = { HS256: Buffer.alloc(64 + 32), HS384: Buffer.alloc(128 + 48), HS512: Buffer.alloc(128 + 64) };
const COMPARED = {
  HS256: [Buffer.alloc(43), Buffer.alloc(43)],
  HS384: [Buffer.alloc(64), Buffer.alloc(64)],
  HS512: [Buffer.alloc(86), Buffer.alloc(86)],
} as const satisfies Record<HmacAlgorithm, readonly [Buffer, Buffer]>;

/**
 * True when the key, with its own algorithm, made the token's HMAC (RFC 7515 §5.2), compared in constant time. Says
 * nothing about its claims. Two plain hashes over pads that are made once for a key: `createHmac` makes an object for
 * each token, which costs more than to hash it. @nestjs/jwt judges it in the tests.
 */
export function isSignedBy(
  { algorithm, signingInput, signature }: CompactJws,
  key: Pick<SigningKey, 'secret' | 'algorithm'>,
): boolean {
  const { written } = HASHES[key.algorithm];
  const expected = hmacOf(signingInput, key);
  if (algorithm !== key.algorithm || signature.length !== written) return false;
  const [one, other] = COMPARED[key.algorithm];
  one.write(signature, 'latin1');
  other.write(expected, 'latin1');
  return timingSafeEqual(one, other);
}

/** @param text ASCII, no longer than a token. @returns base64url, without padding. */
function hmacOf(text: string, { secret, algorithm }: Pick<SigningKey, 'secret' | 'algorithm'>): string {
  const { name, block } = HASHES[algorithm];
  const { inner, outer } = PADS[algorithm].get(secret) ?? makePads(secret, algorithm);
  scratch.set(inner);
  const first = hash(name, scratch.subarray(0, block + scratch.write(text, block, 'latin1')), 'binary');
  const last = OUTER[algorithm];
  last.set(outer);
  last.write(first, block, 'latin1');
  return hash(name, last, 'base64url');
}

function makePads(secret: KeyObject, algorithm: HmacAlgorithm): Pads {
  const { name, block } = HASHES[algorithm];
  const bytes = secret.export();
  const key = Buffer.alloc(block);
  key.set(bytes.length > block ? hash(name, bytes, 'buffer') : bytes);
  const pads = {
    inner: key.map((byte) => byte ^ 0x36) as Buffer,
    outer: key.map((byte) => byte ^ 0x5c) as Buffer,
  };
  PADS[algorithm].set(secret, pads);
  return pads;
}
