import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import proxyAddr from '@fastify/proxy-addr';
import type { Environment } from '../config/environment.js';
import { countHeader } from '../http/header-list.js';
import { readAddress } from './address-key.js';

type TrustProxy = Environment['trustProxy'];

/**
 * The address of a request's client by `TRUST_PROXY`, like Fastify's `request.ip`. Undefined for a closed connection.
 */
export type AddressOf = (request: IncomingMessage) => string | undefined;

/**
 * Fastify's form of `TRUST_PROXY`: false, or whether the proxy at an address and a distance is trusted. The address is
 * as the next proxy wrote it, possibly with a port.
 */
export function trustFor(trustProxy: TrustProxy): false | ((address: string, hop: number) => boolean) {
  if (trustProxy === false) return false;
  if (typeof trustProxy === 'number') return (_, hop) => hop < trustProxy;
  const trusts = proxyAddr.compile([...trustProxy]);
  return (address, hop) => trusts(readAddress(address) ?? address, hop);
}

/** @param warnOfForwarded Called once, when a request arrives through a proxy without `TRUST_PROXY`. */
export function clientAddress(trustProxy: TrustProxy, warnOfForwarded: () => void): AddressOf {
  const trust = trustFor(trustProxy);
  if (trust !== false) return (request) => proxyAddr(request, trust);
  let warned = false;
  return ({ rawHeaders, socket }) => {
    if (!warned && countHeader(rawHeaders, 'x-forwarded-for') > 0) {
      warned = true;
      warnOfForwarded();
    }
    return socket.remoteAddress;
  };
}

/** The address of a connection's client; null behind a trusted proxy, where only a request's headers have it. */
export type PeerAddressOf = (socket: Socket) => string | null;

/** For connections whose request cannot be parsed. */
export function peerAddress(trustProxy: TrustProxy): PeerAddressOf {
  const trust = trustFor(trustProxy);
  return ({ remoteAddress }) =>
    remoteAddress === undefined || (trust !== false && trust(remoteAddress, 0)) ? null : remoteAddress;
}
