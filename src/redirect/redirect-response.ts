import { maxAgeAt } from '../policy/cache-lifetime.js';
import type { Exchange } from '../platform/http/exchange.js';
import { type HeaderList, isPlainText, writeHeaders } from '../platform/http/header-list.js';
import { rawResponses } from '../platform/http/raw-response.js';
import type { Redirect, RedirectPage } from './redirect.js';

/** The seed's headers, in its order and spelling: on every response of `/images`, redirects and problems alike. */
export const IMAGE_HEADERS: HeaderList = [
  ['Cache-Control', 'no-cache, no-store'],
  ['Pragma', 'no-cache'],
  ['Expires', 'Fri, 01 Jan 1990 00:00:00 GMT'],
  ['Access-Control-Allow-Origin', '*'],
  ['Vary', 'Accept-Encoding'],
  ['P3P', 'CP="NOI ADM DEV PSAi COM NAV OUR OTRo STP IND DEM"'],
  ['X-Content-Type-Options', 'nosniff'],
  ['X-XSS-Protection', '1; mode=block'],
  ['X-Download-Options', 'noopen'],
  ['X-Permitted-Cross-Domain-Policies', 'none'],
  ['Referrer-Policy', 'origin-when-cross-origin, strict-origin-when-cross-origin'],
];

const NO_STORE = writeHeaders(IMAGE_HEADERS.flat());
/**
 * `Pragma` and `Expires` disable caching: they are omitted because they would contradict a `max-age`. `Authorization`
 * selects the redirect: without it in `Vary`, a browser would show one token's image for another's (RFC 9111 §4.1).
 */
const HEADERS_WITHOUT_CACHING = writeHeaders(
  IMAGE_HEADERS.slice(3).flatMap(([name, value]) => [
    name,
    name === 'Vary' ? `${value}, Authorization` : value,
  ]),
);

/**
 * Responds 302 with the seed's headers and body. Writes to Node's response directly: Fastify would convert the header
 * names to lower case.
 */
export function writeRedirect({ request, response, requestId, runtime }: Exchange, redirect: Redirect): void {
  const { head, body } = (redirect.page ??= createPage(redirect.location));
  const maxAge = maxAgeAt(redirect.lifetime, Date.now() / 1000);
  const caching =
    maxAge > 0 ? `Cache-Control: private, max-age=${maxAge}\r\n${HEADERS_WITHOUT_CACHING}` : NO_STORE;
  const own = `X-Request-Id: ${requestId}\r\nX-Runtime: ${runtime}\r\nContent-Length: ${body.length}\r\n`;
  rawResponses.write(request, response, { status: 302, head: caching + head + own, body });
}

/** Printable ASCII without the characters that HTML escapes. */
const PLAIN = /^[\x20!#-%(-;=?-~]*$/;

/** @throws Error if the Location is not printable ASCII, as every URI is (RFC 3986 §2). */
function createPage(location: string): RedirectPage {
  const isPlain = PLAIN.test(location);
  if (!isPlain && !isPlainText(location)) {
    throw new Error('The Location contains characters that are invalid in a URI');
  }
  const href = isPlain ? location : escapeHtml(location);
  return {
    head: `Location: ${location}\r\nContent-Type: text/html; charset=utf-8\r\n`,
    body: `<html><body>You are being <a href="${href}">redirected</a>.</body></html>`,
  };
}

const HTML_ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => HTML_ENTITIES[character] ?? character);
}
