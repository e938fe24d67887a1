import { timingSafeEqual } from 'node:crypto';

/** Compares secrets in a time that depends only on their lengths. */
export function equalsInConstantTime(one: string | Buffer, other: string | Buffer): boolean {
  const [a, b] = [bytesOf(one), bytesOf(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

const bytesOf = (value: string | Buffer): Buffer => (typeof value === 'string' ? Buffer.from(value) : value);
