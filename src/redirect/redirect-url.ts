import { parse } from 'fast-querystring';
import type { RedirectRequest } from './decide-redirect.js';

const PATH = '/images/';
const TOKEN = 'token=';
/** What no decoding changes, and no router reads as anything but a name. */
const PLAIN = /^[\w.-]+$/;

/**
 * Reads `/images/<id>` with its query as Fastify's router would; null for any other URL, and for one that only the
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
    // The query of almost every request: it needs no parser.
    if (PLAIN.test(token)) return { token };
  }
  return parse(query);
}

/** Null for what is no one segment, or cannot be decoded: the router's to refuse. */
function decodeSegment(segment: string): string | null {
  if (segment === '' || segment.includes('/')) return null;
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}
