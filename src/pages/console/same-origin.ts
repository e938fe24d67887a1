import type { IncomingHttpHeaders } from 'node:http';
import { CrossSiteRequestError } from './console.errors.js';

/**
 * A header of the console's requests: a page of another origin may add it only if CORS allows it, which the admin API
 * never does.
 */
const HEADER = 'x-pixseal-console';

interface Sent {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
}

/**
 * `SameSite=Strict` does not exclude other ports and subdomains, which browsers consider the same site. Fetch Metadata
 * excludes them; in browsers without it, the header does.
 * @throws CrossSiteRequestError (403)
 */
export function requireSameOrigin({ method, headers }: Sent): void {
  const site = headers['sec-fetch-site'];
  const reads = method === 'GET' || method === 'HEAD';
  // `none`: the user typed the address.
  const own = site === undefined || site === 'same-origin' || (reads && site === 'none');
  // A link cannot send the header, and a GET changes nothing, but that it may sign out.
  if (!own || (!reads && headers[HEADER] !== '1')) throw new CrossSiteRequestError();
}
