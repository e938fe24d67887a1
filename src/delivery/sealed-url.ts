import type { IncomingMessage } from 'node:http';

/** What the URL of a sealed redirect says. */
export interface SealedUrl {
  /** The path's last segment. */
  readonly pathId: string;
  readonly token: string;
}

const PATH = '/images/';
const QUERY = '?token=';
/** What no decoding could change. */
const PLAIN = /^[\w.-]+$/;
/** What a decoder would read as something else than itself. */
const DECODED = ['%', '&', '+', '#', ';'];

/** Whether its parts stand in a URL as they are. */
export function isPlain({ pathId, token }: SealedUrl): boolean {
  return PLAIN.test(pathId) && PLAIN.test(token);
}

/** Whether a request only reads: GET or HEAD. */
export function isRead({ method }: IncomingMessage): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** Takes `/images/<id>?token=<token>` apart, whatever stands in it; null for any other form. */
export function splitSealedUrl(url: string): SealedUrl | null {
  const mark = url.startsWith(PATH) ? url.indexOf(QUERY, PATH.length) : -1;
  return mark < 0 ? null : { pathId: url.slice(PATH.length, mark), token: url.slice(mark + QUERY.length) };
}

/** Whether a URL that was taken apart has nothing else in it, and nothing encoded. */
export function hasNothingElse(url: string, { pathId, token }: SealedUrl): boolean {
  return token !== '' && PLAIN.test(pathId) && !DECODED.some((character) => url.includes(character));
}
