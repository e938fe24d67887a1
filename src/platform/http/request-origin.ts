import type { IncomingMessage } from 'node:http';
import type { Environment } from '../config/environment.js';
import { trustFor } from '../rate-limit/client-address.js';
import { countHeader } from './header-list.js';
import { ProblemError } from '../../domain/problem.error.js';

/** RFC 9110 §7.2's `uri-host [ ":" port ]`, limited to names without empty labels, IPv4 and bracketed IPv6. */
const HOST =
  /^(?:(?!.*\.\.)[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?\.?|\[[0-9a-f:.]{2,45}\])(?::(?<port>\d{1,5}))?$/i;
const MAX_PORT = 65_535;

/** 400: the request has no `Host` or several, or its value cannot be part of a Location. */
export class InvalidHostError extends ProblemError {
  constructor(detail = 'The Host header is not a host name with an optional port. Send a well-formed one.') {
    super('invalid_host', detail);
  }
}

/**
 * Checks the number of `Host` lines (RFC 9112 §3.2): a proxy may use another one than this service.
 * @returns null for one, and for none in HTTP/1.0.
 */
export function findHostFault({ rawHeaders, httpVersion }: IncomingMessage): InvalidHostError | null {
  const count = countHeader(rawHeaders, 'host');
  if (count === 1 || (count === 0 && httpVersion === '1.0')) return null;
  return new InvalidHostError(
    `The request has ${count === 0 ? 'no Host header' : 'several Host headers'}. Send one.`,
  );
}

/** The scheme and host that a client requested; not validated yet. */
export interface RequestOrigin {
  readonly protocol: string;
  readonly host: string | undefined;
}

/**
 * The origin as text, such as `https://img.example.com:8443`.
 * @throws InvalidHostError (400): an attacker's Host must not get into a Location.
 */
export function originText({ protocol, host }: RequestOrigin): string {
  const found = host === undefined ? null : HOST.exec(host);
  if (found === null || Number(found.groups?.['port'] ?? 0) > MAX_PORT) throw new InvalidHostError();
  if (protocol !== 'http' && protocol !== 'https') throw new InvalidHostError();
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
      // TLS is terminated in front of this service.
      protocol: (isTrusted && lastOf(headers['x-forwarded-proto'])) || 'http',
      host: (isTrusted && lastOf(headers['x-forwarded-host'])) || headers.host,
    };
  };
}

/** The last value of a list header, which the nearest proxy wrote. */
function lastOf(header: string | readonly string[] | undefined): string {
  return (typeof header === 'string' ? header : (header?.at(-1) ?? '')).split(',').at(-1)?.trim() ?? '';
}
