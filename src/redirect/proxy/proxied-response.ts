import type { IncomingMessage, ServerResponse } from 'node:http';
import { maxAgeAt } from '../../policy/cache-lifetime.js';
import type { Exchange } from '../../platform/http/exchange.js';
import { writeHeaders } from '../../platform/http/header-list.js';
import { rawResponses } from '../../platform/http/raw-response.js';
import type { ProxiedRedirect } from '../proxied-delivery.js';
import { type ByteRange, select, type Validators } from './conditions.js';
import type { ByteSource } from './disk-cache.js';

/** Bytes of one read. */
const CHUNK = 64 * 1024;
/** Bytes of a body that is read at once. */
const MAX_WHOLE = 2 * CHUNK;
/** Milliseconds without progress after which a client that does not read is disconnected. */
const STALL_TIMEOUT = 60_000;

/** An image that a response is about. */
export interface FoundImage extends Validators {
  readonly contentType: string;
  /** Bytes; null if they are not known. */
  readonly length: number | null;
}

/** The head of a response with an image or a part of it, or with 304. */
export interface ProxiedHead extends Validators {
  readonly status: 200 | 206 | 304;
  /** Empty for 304. */
  readonly contentType: string;
  /** Bytes of the body; null if they are not known. */
  readonly length: number | null;
  readonly contentRange: string | null;
}

/** The head of a response, and the bytes of the image that follow it; null for none. */
export interface PlannedResponse {
  readonly head: ProxiedHead;
  readonly range: ByteRange | null;
}

/**
 * Selects what a response contains: the image, a part of it, or 304, as the request's preconditions and range say. Only
 * a 200 or 206 to a GET has a body.
 * @throws RangeNotSatisfiableError (416)
 */
export function planResponse(request: IncomingMessage, image: FoundImage): PlannedResponse {
  const { contentType, length, etag, lastModified } = image;
  const selection = select(request, image, length);
  const whole = { contentType, length, etag, lastModified, contentRange: null };
  if (selection === 'not_modified') return { head: { ...whole, status: 304 }, range: null };
  if (selection === 'whole') {
    const range = request.method === 'HEAD' ? null : { start: 0, end: length ?? Infinity };
    return { head: { ...whole, status: 200 }, range };
  }
  const { start, end } = selection;
  const contentRange = `bytes ${start}-${end - 1}/${length}`;
  return { head: { ...whole, status: 206, length: end - start, contentRange }, range: selection };
}

/**
 * Writes the head. Of the account's headers it has those of `ProxiedHead` only.
 * @param vary Request headers on which the image depends.
 */
export function writeHead(
  exchange: Exchange,
  redirect: ProxiedRedirect,
  head: ProxiedHead,
  vary: string,
): void {
  exchange.response.writeHead(head.status, headersOf(exchange, redirect, head, vary));
}

/** Sends a response whose bytes are in memory: head and body in one write. The parameters are those of `writeHead`. */
export function sendFromMemory(
  exchange: Exchange,
  redirect: ProxiedRedirect,
  head: ProxiedHead,
  vary: string,
  body: Buffer | '',
): void {
  const { request, response } = exchange;
  const lines = writeHeaders(headersOf(exchange, redirect, head, vary));
  rawResponses.write(request, response, { status: head.status, head: lines, body });
  if (response.writableLength > 0) disconnectIfStalled(response);
}

/** Names and values in turn. */
function headersOf(
  { requestId, runtime }: Exchange,
  { lifetime, proxied }: ProxiedRedirect,
  { status, contentType, length, contentRange, etag, lastModified }: ProxiedHead,
  vary: string,
): string[] {
  const maxAge = maxAgeAt(lifetime, Date.now() / 1000);
  // As for redirects: `Authorization` may contain the token.
  const headers = [
    'Cache-Control',
    `private, max-age=${maxAge}, must-revalidate`,
    'Vary',
    `${vary}, Authorization`,
  ];
  if (etag !== null) headers.push('ETag', etag);
  if (lastModified !== null) headers.push('Last-Modified', lastModified);
  if (status !== 304) {
    headers.push(
      'Content-Type',
      contentType,
      'Content-Disposition',
      proxied.disposition,
      'Accept-Ranges',
      'bytes',
    );
    if (contentRange !== null) headers.push('Content-Range', contentRange);
    if (length !== null) headers.push('Content-Length', String(length));
  }
  headers.push(...OWN_HEADERS, 'X-Request-Id', requestId, 'X-Runtime', runtime);
  return headers;
}

const OWN_HEADERS = [
  ...['Access-Control-Allow-Origin', '*'],
  ...['X-Content-Type-Options', 'nosniff'],
  // An SVG or a PDF that is opened by itself runs no script and loads nothing.
  ...['Content-Security-Policy', "sandbox; default-src 'none'"],
  ...['X-Robots-Tag', 'noindex'],
  ...['Referrer-Policy', 'no-referrer'],
];

/**
 * Sends the bytes of a range as fast as the client reads. A client that leaves ends it.
 * @param range `end` is Infinity for all bytes of an unknown number.
 * @param onBytes Receives the size of each chunk.
 * @throws what the source throws: the response is then incomplete, and its connection must be closed.
 */
export async function sendBytes(
  { response }: Exchange,
  source: ByteSource,
  { start, end }: ByteRange,
  onBytes: (count: number) => void,
): Promise<void> {
  const chunkLength = end - start <= MAX_WHOLE ? MAX_WHOLE : CHUNK;
  let isWatched = false;
  for (let at = start; at < end;) {
    const reading = source.read(at, Math.min(chunkLength, end - at));
    const bytes = reading instanceof Promise ? await reading : reading;
    if (bytes === null && end !== Infinity) throw new Error('The image is shorter than its length');
    if (response.destroyed) return;
    if (bytes === null) break;
    at += bytes.length;
    onBytes(bytes.length);
    // The last piece is sent with the end: a small image in one write with its head.
    if (at === end) {
      response.end(bytes);
      if (response.writableLength > 0 && !isWatched) disconnectIfStalled(response);
    } else if (!response.write(bytes)) {
      if (!isWatched) disconnectIfStalled(response);
      isWatched = true;
      await drained(response);
    }
  }
  if (!response.destroyed && !response.writableEnded) response.end();
}

function disconnectIfStalled(response: ServerResponse): void {
  response.setTimeout(STALL_TIMEOUT, () => response.destroy());
}

/** Waits until the client has read what was written, or has left. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      response.off('drain', settle).off('close', settle);
      resolve();
    };
    response.on('drain', settle).on('close', settle);
  });
}
