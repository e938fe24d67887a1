import { createHash, randomBytes } from 'node:crypto';

/** RFC 4648 §6 in lower case: no two of its characters look the same. */
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
const PREFIX_LENGTH = 8;
const SECRET_BYTES = 32;
const ADMIN_KEY = /^pxs_([a-z2-7]{8})_[\w-]{43}$/;

/** A new key of the form `pxs_<prefix>_<secret>`: scanners for leaked secrets know it by its beginning. */
export function generateAdminKey(): { key: string; prefix: string } {
  const prefix = [...randomBytes(PREFIX_LENGTH)].map((byte) => BASE32[byte % BASE32.length]).join('');
  return { key: `pxs_${prefix}_${randomBytes(SECRET_BYTES).toString('base64url')}`, prefix };
}

/** The prefix of a key of that form; null for any other text. */
export function prefixOf(key: string): string | null {
  return ADMIN_KEY.exec(key)?.[1] ?? null;
}

/** What of a key is kept. A key is as random as its digest, so nothing slower is needed. */
export function digestOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
