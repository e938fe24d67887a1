import type { ServerResponse } from 'node:http';
import { maxAgeAt } from '../../policy/cache-lifetime.js';
import type { Exchange } from '../../platform/http/exchange.js';
import type { ProxiedRedirect } from '../proxied-delivery.js';
import type { ByteRange, Validators } from './conditions.js';
import type { ByteSource } from './disk-cache.js';

/** Bytes of one read. */
const CHUNK = 64 * 1024;
/** Bytes of a body that is read at once. */
const MAX_WHOLE = 2 * CHUNK;
/** Milliseconds without progress after which a client that does not read is disconnected. */
const STALL_TIMEOUT = 60_000;

/** The head of a response with an image or a part of it, or with 304. */
export interface ProxiedHead extends Validators {
  readonly status: 200 | 206 | 304;
  /** Empty for 304. */
  readonly contentType: string;
  /** Bytes of the body; null if they are not known. */
  readonly length: number | null;
  readonly contentRange: string | null;
}

/**
 * Writes the head. Of the account's headers it has those of `ProxiedHead` only.
 * @param vary Request headers on which the image depends.
 */
export function writeHead(
  { response, requestId, runtime }: Exchange,
  { lifetime, proxied }: ProxiedRedirect,
  head: ProxiedHead,
  vary: string,
): void {
  const { status, contentType, length, contentRange, etag, lastModified } = head;
  const maxAge = maxAgeAt(lifetime, Date.now() / 1000);
  response.writeHead(status, [
    ...['Cache-Control', `private, max-age=${maxAge}, must-revalidate`],
    // As for redirects: `Authorization` may contain the token.
    ...['Vary', `${vary}, Authorization`],
    ...(etag === null ? [] : ['ETag', etag]),
    ...(lastModified === null ? [] : ['Last-Modified', lastModified]),
    ...(status === 304 ? [] : ['Content-Type', contentType, 'Content-Disposition', proxied.disposition]),
    ...(status === 304 ? [] : ['Accept-Ranges', 'bytes']),
    ...(contentRange === null ? [] : ['Content-Range', contentRange]),
    ...(length === null || status === 304 ? [] : ['Content-Length', String(length)]),
    ...['Access-Control-Allow-Origin', '*'],
    ...['X-Content-Type-Options', 'nosniff'],
    // An SVG or a PDF that is opened by itself runs no script and loads nothing.
    ...['Content-Security-Policy', "sandbox; default-src 'none'"],
    ...['X-Robots-Tag', 'noindex'],
    ...['Referrer-Policy', 'no-referrer'],
    ...['X-Request-Id', requestId, 'X-Runtime', runtime],
  ]);
}

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
    if (at === end) response.end(bytes);
    else if (!response.write(bytes)) {
      if (!isWatched) response.setTimeout(STALL_TIMEOUT, () => response.destroy());
      isWatched = true;
      await drained(response);
    }
  }
  if (!response.destroyed && !response.writableEnded) response.end();
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
