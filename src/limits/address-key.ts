import { isIP } from 'node:net';

/** A caller's address as rates are counted by it. */
export function addressKey(address: string): string {
  if (!address.includes(':')) return isIP(address) === 4 ? address : UNKNOWN;
  if (isIP(address) !== 6) return UNKNOWN;
  const lower = address.toLowerCase();
  // A socket that listens on both families shows an IPv4 client so.
  if (lower.startsWith('::ffff:') && lower.includes('.')) return lower.slice('::ffff:'.length);
  return `${network64(lower)}::/64`;
}

/** What a trusted proxy passed on that is no address: all of it shares one allowance, or its spelling would buy more. */
const UNKNOWN = 'unknown';
const HEXTETS = 8;

/** The first half of an IPv6 address: the smallest network that is given to one customer (RFC 6177). */
function network64(address: string): string {
  const [head = '', tail] = address.split('::', 2);
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  // An address that ends in dotted IPv4 has two hextets in one part; they are of the second half.
  const dotted = address.includes('.') ? 1 : 0;
  const zeros = tail === undefined ? 0 : HEXTETS - before.length - after.length - dotted;
  const hextets = [...before, ...Array.from({ length: zeros }, () => '0'), ...after];
  return hextets
    .slice(0, HEXTETS / 2)
    .map((hextet) => hextet.replace(/^0+(?=.)/, ''))
    .join(':');
}
