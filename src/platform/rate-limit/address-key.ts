import { isIP } from 'node:net';

/** Longer than any IPv6 address with brackets, zone and port. */
const MAX_LENGTH = 100;
/** An address, IPv6 in brackets, and a port, for which RFC 7239 also allows a name. */
const WITH_PORT = /^(?:\[([^\]]+)\]|([^[]+?))(?::(?:\d{1,5}|_[\w.-]+))?$/;
const HEXTETS = 8;

/**
 * Reads an address of `X-Forwarded-For`: IIS and Azure add the port, and brackets around IPv6.
 * @param text Undefined for a closed connection.
 * @returns The address without brackets, port and zone; null for other text, such as `unknown`.
 */
export function readAddress(text: string | undefined): string | null {
  if (text === undefined || text.length > MAX_LENGTH) return null;
  if (isIP(text) === 4) return text;
  const trimmed = text.trim();
  // First without a port: `::1:80` is an IPv6 address.
  const [, bracketed, bare] = isIP(trimmed) === 0 ? (WITH_PORT.exec(trimmed) ?? []) : [null, null, trimmed];
  const address = bracketed ?? bare ?? '';
  const family = isIP(address);
  if (family === 0 || (family === 4 && bracketed != null)) return null;
  return address.replace(/%.*$/, '');
}

/**
 * The key of a client's rate: an IPv4 address, also one that is mapped into IPv6, or an IPv6 network of 64 bits, the
 * smallest that a customer gets (RFC 6177).
 * @returns null if the text is not an address.
 */
export function addressKey(text: string | undefined): string | null {
  const address = readAddress(text);
  if (!address?.includes(':')) return address;
  const hextets = hextetsOf(address.toLowerCase());
  const mapped = hextets[5] === 'ffff' && hextets.slice(0, 5).every((hextet) => hextet === '0');
  return mapped ? dotted(hextets.slice(6)) : `${hextets.slice(0, HEXTETS / 2).join(':')}::/64`;
}

/** The eight parts of an IPv6 address, without leading zeros. */
function hextetsOf(address: string): readonly string[] {
  const [head = '', tail] = hexadecimal(address).split('::', 2);
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : HEXTETS - before.length - after.length;
  return [...before, ...Array.from({ length: zeros }, () => '0'), ...after].map((hextet) =>
    hextet.replace(/^0+(?=.)/, ''),
  );
}

/** Replaces a dotted IPv4 at the end of an IPv6 address by two hextets. */
function hexadecimal(address: string): string {
  return address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: readonly string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number);
    return `${(256 * a + b).toString(16)}:${(256 * c + d).toString(16)}`;
  });
}

function dotted(hextets: readonly string[]): string {
  return hextets
    .map((hextet) => Number.parseInt(hextet, 16))
    .flatMap((number) => [number >> 8, number & 255])
    .join('.');
}
