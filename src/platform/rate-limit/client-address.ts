import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import proxyAddr from '@fastify/proxy-addr';
import type { Environment } from '../config/environment.js';
import { readAddress } from './address-key.js';

type TrustProxy = Environment['trustProxy'];

/**
 * The address of a request's client, proxies judged by `TRUST_PROXY`; as Fastify's own `request.ip`. Undefined for a
 * connection that is closed.
 */
export type AddressOf = (request: IncomingMessage) => string | undefined;

/**
 * Fastify's form of `TRUST_PROXY`: false, or whether the proxy at an address, so many hops away, is trusted. The address
 * is as the next proxy wrote it, which may be with a port.
 */
export function trustFor(trustProxy: TrustProxy): false | ((address: string, hop: number) => boolean) {
  if (trustProxy === false) return false;
  if (typeof trustProxy === 'number') return (_, hop) => hop < trustProxy;
  const trusts = proxyAddr.compile([...trustProxy]);
  return (address, hop) => trusts(readAddress(address) ?? address, hop);
}

/**
 * @param warnOfForwarded Called once, when a request comes through a proxy that `TRUST_PROXY` does not know.
 */
export function clientAddress(trustProxy: TrustProxy, warnOfForwarded: () => void): AddressOf {
  const trust = trustFor(trustProxy);
  if (trust !== false) return (request) => proxyAddr(request, trust);
  let told = false;
  return ({ rawHeaders, socket }) => {
    if (!told && isForwarded(rawHeaders)) {
      told = true;
      warnOfForwarded();
    }
    return socket.remoteAddress;
  };
}

/** The address of a connection's client; null where only a request's headers tell it, behind a trusted proxy. */
export type PeerAddressOf = (socket: Socket) => string | null;

/** Of a connection whose request could not be read. */
export function peerAddress(trustProxy: TrustProxy): PeerAddressOf {
  const trust = trustFor(trustProxy);
  return ({ remoteAddress }) =>
    remoteAddress === undefined || (trust !== false && trust(remoteAddress, 0)) ? null : remoteAddress;
}

const FORWARDED = 'x-forwarded-for';

/** Of the headers as they came: to look at them costs less than to have Node sort them. */
function isForwarded(headers: readonly string[]): boolean {
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at];
    if (name?.length === FORWARDED.length && name.toLowerCase() === FORWARDED) return true;
  }
  return false;
}
