import type { IncomingMessage } from 'node:http';
import { listsEntityTag } from '../../platform/http/entity-tags.js';
import { RangeNotSatisfiableError } from './proxy.errors.js';

/** The validators of an image. */
export interface Validators {
  /** An entity tag with its quotes. */
  readonly etag: string | null;
  /** HTTP's date. */
  readonly lastModified: string | null;
}

/** Bytes of an image, `end` excluded. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** What a response contains: nothing new, the whole image, or a part of it. */
export type Selection = 'not_modified' | 'whole' | ByteRange;

/**
 * Evaluates the preconditions and the range of a request (RFC 9110 §13.2.2, §14.2).
 * @param length Of the image in bytes; null if it is not known yet: then a range is ignored.
 * @throws RangeNotSatisfiableError (416)
 */
export function select(
  { method, headers }: Pick<IncomingMessage, 'method' | 'headers'>,
  validators: Validators,
  length: number | null,
): Selection {
  if (isNotModified(headers, validators)) return 'not_modified';
  const { range, 'if-range': ifRange } = headers;
  if (method !== 'GET' || range === undefined || length === null) return 'whole';
  return isSameImage(ifRange, validators) ? readRange(range, length) : 'whole';
}

/**
 * The preconditions of a request, for the account's host: of an image that is not fetched for the cache. No range is
 * one: images are fetched whole, so that all parts share a fetch and a file.
 */
export function preconditionsOf({
  headers,
}: Pick<IncomingMessage, 'headers'>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    PRECONDITIONS.flatMap((name) => {
      const value = headers[name];
      return typeof value === 'string' ? [[name, value]] : [];
    }),
  );
}

/** Whether a response may need less than all bytes of the image. */
export const mayNeedPart = ({ headers }: Pick<IncomingMessage, 'headers'>): boolean =>
  headers.range !== undefined || PRECONDITIONS.some((name) => headers[name] !== undefined);

const PRECONDITIONS = ['if-none-match', 'if-modified-since'] as const;

function isNotModified(headers: IncomingMessage['headers'], { etag, lastModified }: Validators): boolean {
  const { 'if-none-match': tags, 'if-modified-since': since } = headers;
  if (tags !== undefined) return tags.trim() === '*' || (etag !== null && listsEntityTag(tags, etag));
  if (since === undefined || lastModified === null) return false;
  return Date.parse(lastModified) <= Date.parse(since);
}

/** Whether a range applies: by strong comparison, or the exact date. */
function isSameImage(ifRange: string | string[] | undefined, { etag, lastModified }: Validators): boolean {
  if (ifRange === undefined) return true;
  return ifRange === lastModified || (ifRange === etag && !etag.startsWith('W/'));
}

/** Several ranges, and what is not a range of bytes, are ignored. */
function readRange(header: string, length: number): ByteRange | 'whole' {
  const [, first = '', last = ''] = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/i.exec(header) ?? [];
  if (first === '' && last === '') return 'whole';
  if (first !== '' && last !== '' && Number(last) < Number(first)) return 'whole';
  const start = first === '' ? Math.max(0, length - Number(last)) : Number(first);
  const end = first === '' || last === '' ? length : Math.min(length, Number(last) + 1);
  if (start >= end) throw new RangeNotSatisfiableError(length);
  return { start, end };
}
