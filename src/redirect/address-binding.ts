import { type AddressRange, isInRanges, parseAddress } from '../domain/ip-address.js';
import { readAddress } from '../platform/rate-limit/address-key.js';
import { AddressNotInTokenError } from '../tokens/token.errors.js';

/**
 * Requires that a client's address is in one of the ranges of a token's `bind_ip`.
 * @param address As a proxy wrote it, or undefined if it is unknown; null for the operator's own command, which no address
 *   binds.
 * @throws AddressNotInTokenError (403)
 */
export function requireAddress(ranges: readonly AddressRange[], address: string | undefined | null): void {
  if (address === null) return;
  const read = readAddress(address);
  const groups = read === null ? null : parseAddress(read);
  if (groups === null || !isInRanges(ranges, groups)) throw new AddressNotInTokenError();
}
