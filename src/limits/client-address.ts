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

/** @returns '' for a connection that is gone already. */
export function clientAddress(trustProxy: TrustProxy): AddressOf {
  const trust = trustFor(trustProxy);
  return trust === false
    ? (request) => request.socket.remoteAddress ?? ''
    : (request) => proxyAddr(request, trust);
}
