import type { IncomingMessage } from 'node:http';
import { type Environment } from '../config/environment.js';
import { trustFor } from '../rate-limit/client-address.js';
import { ProblemError } from '../../domain/problem.error.js';

/** RFC 9110 §7.2's `uri-host [ ":" port ]`, without the exotic: names, IPv4, bracketed IPv6. */
const HOST = /^(?:[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?\.?|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/i;

/** 400: the request has no `Host` or several, or a Location made from it would not point back here. */
export class InvalidHostError extends ProblemError {
  constructor(detail = 'The Host header is not a host name with an optional port. Send a well-formed one.') {
    super('invalid_host', detail);
  }
}

/**
 * Checks the number of `Host` lines (RFC 9112 §3.2): a proxy may read another of them than this service does.
 * @returns null for a request with one, or of HTTP/1.0 without.
 */
export function findHostFault({ rawHeaders, httpVersion }: IncomingMessage): InvalidHostError | null {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at];
    if (name?.length === HOST_NAME.length && name.toLowerCase() === HOST_NAME) count += 1;
  }
  if (count === 1 || (count === 0 && httpVersion === '1.0')) return null;
  return new InvalidHostError(
    `The request has ${count === 0 ? 'no Host header' : 'several Host headers'}. Send one.`,
  );
}

const HOST_NAME = 'host';

/** By which scheme and host a client reached this service; not validated yet. */
export interface RequestOrigin {
  readonly protocol: string;
  readonly host: string | undefined;
}

/**
 * The origin as text, such as `https://img.example.com:8443`.
 * @throws InvalidHostError (400): an attacker's Host must not get into a Location.
 */
export function originText({ protocol, host }: RequestOrigin): string {
  if (host === undefined || !HOST.test(host) || (protocol !== 'http' && protocol !== 'https')) {
    throw new InvalidHostError();
  }
  return `${protocol}://${host}`;
}

/** Reads the origin of a request; a proxy's `X-Forwarded-Host` and `-Proto` where `TRUST_PROXY` trusts it. */
export function originReader(
  trustProxy: Environment['trustProxy'],
): (request: IncomingMessage) => RequestOrigin {
  const trust = trustFor(trustProxy);
  return ({ headers, socket }) => {
    const isTrusted = trust !== false && trust(socket.remoteAddress ?? '', 0);
    return {
      // TLS ends before this service: only a proxy knows of it.
      protocol: (isTrusted && lastOf(headers['x-forwarded-proto'])) || 'http',
      host: (isTrusted && lastOf(headers['x-forwarded-host'])) || headers.host,
    };
  };
}

/** The last value of a list header: the one that the nearest proxy wrote. */
function lastOf(header: string | readonly string[] | undefined): string {
  return (typeof header === 'string' ? header : (header?.at(-1) ?? '')).split(',').at(-1)?.trim() ?? '';
}
