import { parse } from 'fast-querystring';
import type { RedirectRequest } from './decide-redirect.js';

const PATH = '/images/';
const TOKEN = 'token=';
/** Characters that decoding does not change and that have no meaning to the router. */
const PLAIN = /^[\w.-]+$/;
/** Characters that a query's parser would decode, or end a value at. */
const MEANING = ['&', '%', '+'];

/**
 * Reads `/images/<id>` and its query as Fastify's router would. Null for any other URL, and for one that only the
 * router can judge.
 */
export function readRedirectUrl(url: string): RedirectRequest | null {
  if (!url.startsWith(PATH)) return null;
  const mark = url.indexOf('?', PATH.length);
  const segment = mark < 0 ? url.slice(PATH.length) : url.slice(PATH.length, mark);
  const pathId = PLAIN.test(segment) ? segment : decodeSegment(segment);
  if (pathId === null || url.includes('#')) return null;
  return { pathId, query: mark < 0 ? {} : readQuery(url.slice(mark + 1)) };
}

function readQuery(query: string): RedirectRequest['query'] {
  if (query.startsWith(TOKEN)) {
    const token = query.slice(TOKEN.length);
    // Almost every request has this query. It needs no parser, and three searches cost less than a pattern.
    if (!MEANING.some((character) => token.includes(character))) return { token };
  }
  return parse(query);
}

/** Null if it is not one segment or cannot be decoded: the router refuses it. */
function decodeSegment(segment: string): string | null {
  if (segment === '' || segment.includes('/')) return null;
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}
