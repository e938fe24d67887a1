import { createHash, randomBytes } from 'node:crypto';

/** RFC 4648 §6 in lower case: no two of its characters look the same. */
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
const PREFIX_LENGTH = 8;
const SECRET_BYTES = 32;
const ADMIN_KEY = /^pxs_([a-z2-7]{8})_[\w-]{43}$/;

/** A new key of the form `pxs_<prefix>_<secret>`, whose beginning lets scanners for leaked secrets recognize it. */
export function generateAdminKey(): { key: string; prefix: string } {
  const prefix = [...randomBytes(PREFIX_LENGTH)].map((byte) => BASE32[byte % BASE32.length]).join('');
  return { key: `pxs_${prefix}_${randomBytes(SECRET_BYTES).toString('base64url')}`, prefix };
}

/** A key's prefix; null for any other text. */
export function prefixOf(key: string): string | null {
  return ADMIN_KEY.exec(key)?.[1] ?? null;
}

/** The stored digest of a key. Keys are random, so no slow hash is needed. */
export function digestOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
