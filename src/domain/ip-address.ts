import { isIP } from 'node:net';

const GROUPS = 8;
const GROUP_BITS = 16;
const ADDRESS_BITS = GROUPS * GROUP_BITS;
/** Bits before an IPv4 address that is mapped into IPv6. */
const MAPPED_BITS = 96;

/** An address as the eight groups of IPv6; an IPv4 address as the one that it is mapped to (RFC 4291 §2.5.5.2). */
export type AddressGroups = readonly number[];

/** Parses an address without zone, port and brackets; null for any other text. */
export function parseAddress(text: string): AddressGroups | null {
  const family = isIP(text);
  if (family === 0 || text.includes('%')) return null;
  return groupsOf(family === 4 ? `::ffff:${text}` : text.toLowerCase());
}

/** The dotted IPv4 address that is mapped into an IPv6 address; null for another one. */
export function mappedIpv4(groups: AddressGroups): string | null {
  const isMapped = groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0);
  if (!isMapped) return null;
  return groups
    .slice(6)
    .flatMap((group) => [group >> 8, group & 255])
    .join('.');
}

/** @param address A valid IPv6 address in lower case. */
function groupsOf(address: string): AddressGroups {
  const [head = '', tail] = hexadecimal(address).split('::', 2);
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : GROUPS - before.length - after.length;
  return [...before, ...Array.from({ length: zeros }, () => '0'), ...after].map((group) =>
    Number.parseInt(group, 16),
  );
}

/** Replaces a dotted IPv4 at the end of an IPv6 address by two groups. */
function hexadecimal(address: string): string {
  return address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: readonly string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number);
    return `${(256 * a + b).toString(16)}:${(256 * c + d).toString(16)}`;
  });
}

/** An address, or a subnet. */
export interface AddressRange {
  readonly groups: AddressGroups;
  /** Leading bits that all its addresses share. */
  readonly bits: number;
}

/** Parses an address (`192.0.2.1`) or a subnet (`2001:db8::/32`); null for any other text. */
export function parseAddressRange(text: string): AddressRange | null {
  const slash = text.indexOf('/');
  const address = slash < 0 ? text : text.slice(0, slash);
  const groups = parseAddress(address);
  if (groups === null) return null;
  if (slash < 0) return { groups, bits: ADDRESS_BITS };
  const prefix = text.slice(slash + 1);
  const skipped = isIP(address) === 4 ? MAPPED_BITS : 0;
  const bits = /^(?:0|[1-9]\d{0,2})$/.test(prefix) ? skipped + Number(prefix) : Infinity;
  // A subnet of mapped addresses with fewer bits contains all of IPv4, whatever it says.
  if (mappedIpv4(groups) !== null && bits < MAPPED_BITS) return null;
  return bits > ADDRESS_BITS ? null : { groups, bits };
}

/** Whether an address is in one of the ranges; IPv4 and the address that it is mapped to are the same. */
export function isInRanges(ranges: readonly AddressRange[], groups: AddressGroups): boolean {
  return ranges.some((range) =>
    range.groups.every((group, index) => sharesBits(range, groups, group, index)),
  );
}

function sharesBits({ bits }: AddressRange, groups: AddressGroups, group: number, index: number): boolean {
  const compared = Math.min(GROUP_BITS, Math.max(0, bits - index * GROUP_BITS));
  return (group ^ (groups[index] ?? 0)) >> (GROUP_BITS - compared) === 0;
}
