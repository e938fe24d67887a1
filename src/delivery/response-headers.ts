import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { runtimeOf } from '../logging/request-trail.js';
import { isFitForWhole, isPlainText, sendWhole, writeHeaders } from './whole-answer.js';

/** Headers in the order and spelling in which they are sent. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** The seed's header set, in its order and spelling: on every answer of `/images`, good or bad. */
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

/** What an answer that no cache may keep and no browser may guess at carries. */
export const DEFAULT_HEADERS: HeaderList = [
  ['Cache-Control', 'no-store'],
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'no-referrer'],
];

/** Puts the default headers, the request's id and its runtime on every answer that Fastify itself sends. */
export function setDefaultHeaders(fastify: FastifyInstance): void {
  fastify.addHook('onSend', (request, reply, payload, done) => {
    for (const [name, value] of DEFAULT_HEADERS) {
      if (!reply.hasHeader(name)) reply.header(name, value);
    }
    reply.header('X-Request-Id', request.id).header('X-Runtime', runtimeOf(reply));
    done(null, payload);
  });
}

/** The seed's headers but those that say how long an answer is kept. */
const BUT_CACHING = IMAGE_HEADERS.slice(3);
const UNCACHED = IMAGE_HEADERS.flat();

/** `Pragma` and `Expires` are the seed's "no": beside a `max-age` they would contradict it, and are left out. */
const cachedFor = (seconds: number): readonly string[] => [
  'Cache-Control',
  `private, max-age=${seconds}`,
  ...BUT_CACHING.flat(),
];

/** A redirect as it is sent, but for what each request has of its own. */
export interface Redirect {
  readonly location: string;
  readonly body: string;
  /** Bytes of the body. */
  readonly length: string;
  /** Whether all of it can be sent as plain text. */
  readonly plain: boolean;
}

/** The seed's body for a Location. */
export function makeRedirect(location: string): Redirect {
  const harmless = HARMLESS.test(location);
  const shown = harmless ? location : escapeHtml(location);
  const body = `<html><body>You are being <a href="${shown}">redirected</a>.</body></html>`;
  const length = String(harmless ? body.length : Buffer.byteLength(body));
  return { location, body, length, plain: harmless || isPlainText(location) };
}

/** Plain text without any character that HTML escapes. */
const HARMLESS = /^[\x20!#-%(-;=?-~]*$/;

const UNCACHED_HEAD = writeHeaders(UNCACHED);

/** What a redirect has of one request. */
export interface RedirectRequest {
  readonly requestId: string;
  /** Seconds, as `X-Runtime` has them. */
  readonly runtime: string;
  /** Seconds for which the client's own cache may keep it; 0 for not at all, as the seed's. */
  readonly maxAge: number;
}

/**
 * Answers 302 with the seed's headers and body. Written to the socket's response itself: Fastify would put every
 * name into lower case.
 */
export function writeRedirect(
  { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse },
  { location, body, length, plain }: Redirect,
  { requestId, runtime, maxAge }: RedirectRequest,
): void {
  if (plain && isFitForWhole(request, response)) {
    const start = maxAge > 0 ? writeHeaders(cachedFor(maxAge)) : UNCACHED_HEAD;
    const head =
      `${start}Location: ${location}\r\nContent-Type: text/html; charset=utf-8\r\n` +
      `X-Request-Id: ${requestId}\r\nX-Runtime: ${runtime}\r\nContent-Length: ${length}\r\n`;
    sendWhole(response, 302, head, body);
    return;
  }
  response.writeHead(302, [
    ...(maxAge > 0 ? cachedFor(maxAge) : UNCACHED),
    'Location',
    location,
    'Content-Type',
    'text/html; charset=utf-8',
    'X-Request-Id',
    requestId,
    'X-Runtime',
    runtime,
    'Content-Length',
    length,
  ]);
  response.end(body);
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
