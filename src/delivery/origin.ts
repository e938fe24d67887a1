import { ProblemError } from '../problems/problem.error.js';

/** RFC 9110 §7.2's `uri-host [ ":" port ]`, without the exotic: names, IPv4, bracketed IPv6. */
const HOST = /^(?:[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?\.?|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/i;

/** 400: a Location made from this request would not point back here. */
export class InvalidHostError extends ProblemError {
  readonly status = 400;
  readonly code = 'invalid_host';

  constructor() {
    super('The Host header is not a host name with an optional port. Send a well-formed one.');
  }
}

/** The parts of a request that tell by which origin a client reached it, proxies' headers already judged. */
export interface ReachedBy {
  readonly protocol: string;
  readonly host: string | undefined;
}

/**
 * The origin a client reached this service by, such as `https://img.example.com:8443`.
 * @throws InvalidHostError (400): an attacker's Host must not get into a Location.
 */
export function originOf({ protocol, host }: ReachedBy): string {
  if (host === undefined || !HOST.test(host) || (protocol !== 'http' && protocol !== 'https')) {
    throw new InvalidHostError();
  }
  return `${protocol}://${host}`;
}
