import type { IncomingMessage } from 'node:http';
import proxyAddr from '@fastify/proxy-addr';
import type { Environment } from '../config/environment.js';

type TrustProxy = Environment['trustProxy'];

/** The address of a request's client, proxies judged by `TRUST_PROXY`; as Fastify's own `request.ip`. */
export type AddressOf = (request: IncomingMessage) => string;

/** Fastify's form of `TRUST_PROXY`: false, or whether the proxy at an address, so many hops away, is believed. */
export function trustFor(trustProxy: TrustProxy): false | ((address: string, hop: number) => boolean) {
  if (trustProxy === false) return false;
  if (typeof trustProxy === 'number') return (_, hop) => hop < trustProxy;
  return proxyAddr.compile([...trustProxy]);
}

/**
 * @param tellForwarded Called once, when a request comes through a proxy that `TRUST_PROXY` does not know.
 * @returns '' for a connection that is gone already.
 */
export function clientAddress(trustProxy: TrustProxy, tellForwarded: () => void): AddressOf {
  const trust = trustFor(trustProxy);
  if (trust !== false) return (request) => proxyAddr(request, trust);
  let told = false;
  return ({ rawHeaders, socket }) => {
    if (!told && isForwarded(rawHeaders)) {
      told = true;
      tellForwarded();
    }
    return socket.remoteAddress ?? '';
  };
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
