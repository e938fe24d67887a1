import type { IncomingMessage } from 'node:http';

/** The URL of a sealed redirect in its one plain form, taken apart. */
export interface SealedUrl {
  readonly url: string;
  readonly pathId: string;
  readonly token: string;
}

const PATH = '/images/';
const QUERY = '?token=';
/** What no decoding could change. */
const PLAIN = /^[\w.-]+$/;

/** The plain URL of a sealed redirect; null for parts that could not stand in it as they are. */
export function writeSealedUrl(pathId: unknown, token: unknown): string | null {
  if (typeof pathId !== 'string' || typeof token !== 'string') return null;
  return PLAIN.test(pathId) && PLAIN.test(token) ? PATH + pathId + QUERY + token : null;
}

/** What a decoder would read as something else than itself. */
const DECODED = ['%', '&', '+', '#', ';'];

/** Whether a request only reads: GET or HEAD. */
export function isRead({ method }: IncomingMessage): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** Reads `GET|HEAD /images/<id>?token=<token>` with nothing else in it and nothing encoded; null for any other form. */
export function readSealedUrl(request: IncomingMessage): SealedUrl | null {
  const { url = '' } = request;
  if (!isRead(request) || !url.startsWith(PATH)) return null;
  const mark = url.indexOf(QUERY, PATH.length);
  if (mark < 0 || DECODED.some((character) => url.includes(character))) return null;
  const pathId = url.slice(PATH.length, mark);
  const token = url.slice(mark + QUERY.length);
  return token !== '' && PLAIN.test(pathId) ? { url, pathId, token } : null;
}
