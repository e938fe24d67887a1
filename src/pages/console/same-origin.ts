import type { IncomingHttpHeaders } from 'node:http';
import { CrossSiteRequestError } from './console.errors.js';

/**
 * What the console's requests carry: a page of another origin could add it only with leave (CORS, "non-simple"
 * headers), which the admin API gives to nobody.
 */
const HEADER = 'x-pixseal-console';

interface Sent {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
}

/**
 * `SameSite=Strict` leaves other ports and subdomains, which are the same site to a browser: what it says of where a
 * request comes from (Fetch Metadata) closes those, and the header stands for it in browsers that say nothing.
 * @throws CrossSiteRequestError (403)
 */
export function requireSameOrigin({ method, headers }: Sent): void {
  const site = headers['sec-fetch-site'];
  const reads = method === 'GET' || method === 'HEAD';
  // `none` is an address that a person typed.
  const own = site === undefined || site === 'same-origin' || (reads && site === 'none');
  // An <img> cannot carry the header, and a GET changes nothing.
  if (!own || (!reads && headers[HEADER] !== '1')) throw new CrossSiteRequestError();
}
