import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';

const KIB = 1024;

/** What a request may be at the most, in Fastify's own options; bytes and milliseconds. */
export const REQUEST_LIMITS = {
  bodyLimit: 64 * KIB,
  // The path's id is judged by its form, not cut by the router.
  routerOptions: { maxParamLength: 16 * KIB },
  requestTimeout: 30_000,
  http: {
    // Request line and headers together: a token of 8 KiB fits with room to spare.
    maxHeaderSize: 16 * KIB,
    headersTimeout: 10_000,
    // Node looks for connections that are over their time every 30 s only, if it is not told otherwise.
    connectionsCheckingInterval: 1_000,
    // From Node 24.12 on: a request that announces no body is not read as a stream, an eighth of a bare server's work.
    optimizeEmptyRequests: true,
  },
};

/** Routes whose bodies may be larger: 500 tokens of 8 KiB; what Cloudinary tells of an asset, or of a thousand. */
export const BODY_LIMITS: Readonly<Record<string, number>> = {
  '/deliveries': 5 * KIB * KIB,
  '/cloudinary/notifications': KIB * KIB,
};

const BROKEN: Readonly<Record<string, { status: number; code: string; detail: string }>> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    code: 'headers_too_large',
    detail: 'The request line and headers are over 16 KiB. Shorten the token or the headers.',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    code: 'request_timeout',
    detail: 'The request did not arrive in time. Send it again.',
  },
};

const MALFORMED = { status: 400, code: 'bad_request', detail: 'This is not a well-formed HTTP request.' };

/** Answers what Node could not read as a request: there is only the socket to write to. */
export function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const { status, code, detail } = BROKEN[error.code ?? ''] ?? MALFORMED;
  const title = STATUS_CODES[status] ?? 'Bad Request';
  const body = JSON.stringify({ type: 'about:blank', title, status, code, detail });
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\n` +
      'Cache-Control: no-store\r\n' +
      'X-Content-Type-Options: nosniff\r\n' +
      'Content-Type: application/problem+json; charset=utf-8\r\n' +
      `Content-Length: ${Buffer.byteLength(body)}\r\n` +
      `Connection: close\r\n\r\n${body}`,
  );
}
