import { isIP } from 'node:net';
import { mappedIpv4, parseAddress } from '../../domain/ip-address.js';

/** Longer than any IPv6 address with brackets, zone and port. */
const MAX_LENGTH = 100;
/** An address, IPv6 in brackets, and a port, for which RFC 7239 also allows a name. */
const WITH_PORT = /^(?:\[([^\]]+)\]|([^[]+?))(?::(?:\d{1,5}|_[\w.-]+))?$/;
/** Groups of 16 bits in a network. */
const NETWORK_GROUPS = 4;

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
  const groups = parseAddress(address);
  if (groups === null) return null;
  const network = groups.slice(0, NETWORK_GROUPS).map((group) => group.toString(16));
  return mappedIpv4(groups) ?? `${network.join(':')}::/64`;
}
