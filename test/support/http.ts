import {
  request as httpRequest,
  STATUS_CODES,
  type Agent,
  type IncomingHttpHeaders,
  type Server as HttpServer,
} from 'node:http';
import { connect, type AddressInfo, type Server } from 'node:net';

/** A complete HTTP response. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Names and values as they were sent. */
  readonly rawHeaders: readonly string[];
  readonly text: string;
  /** The parsed body; throws if it is not JSON. */
  readonly json: () => unknown;
}

export interface HttpRequest {
  readonly port: number;
  /** Sent unchanged. */
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; a string or bytes unchanged. */
  readonly body?: unknown;
  /** Reuses connections for many requests. */
  readonly agent?: Agent;
  /** The client's loopback address. */
  readonly from?: string;
}

/** Sends a request over a socket, without following redirects. */
export function request({
  port,
  path,
  method = 'GET',
  headers = {},
  body,
  agent,
  from,
}: HttpRequest): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const payload =
      body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const outgoing = httpRequest(
      {
        host: '127.0.0.1',
        port,
        path,
        method,
        ...(agent === undefined ? {} : { agent }),
        ...(from === undefined ? {} : { localAddress: from }),
        headers: {
          ...(payload === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(payload)) }),
          ...headers,
        },
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.once('error', reject);
        incoming.once('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            rawHeaders: incoming.rawHeaders,
            text,
            json: () => JSON.parse(text) as unknown,
          });
        });
      },
    );
    outgoing.once('error', reject);
    outgoing.end(payload);
  });
}

/** Sends bytes that no HTTP client would. @returns the bytes of the response, once the server closes the connection. */
export function sendRaw(
  port: number,
  bytes: string,
): Promise<{ status: number; text: string; body: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => (text += chunk));
    // The server may close the connection while the rest of an oversized request is in transit.
    socket.once('error', (error) => {
      if (text === '') reject(error);
    });
    socket.once('close', () => {
      const [head = '', body = ''] = text.split('\r\n\r\n', 2);
      resolve({ status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0), text, body });
    });
  });
}

/** A response without its request id, runtime and date: equal for responses that must be indistinguishable. */
export function comparable({ status, rawHeaders, text }: HttpResponse): unknown {
  const volatile = new Set(['x-request-id', 'x-runtime', 'date']);
  const headers = rawHeaders.map((value, index) =>
    index % 2 === 1 && volatile.has(rawHeaders[index - 1]?.toLowerCase() ?? '') ? '' : value,
  );
  return { status, headers, text };
}

/** The body of a problem, whose title is the status's. @param more Further members. */
export function problem(status: number, code: string, detail: unknown, more: object = {}): object {
  return { type: 'about:blank', title: STATUS_CODES[status], status, code, detail, ...more };
}

export const NO_IMAGE = problem(
  404,
  'image_not_found',
  'There is no such image. Check its id, and that it belongs to the issuer.',
);
export const NO_OVERLAY = problem(
  404,
  'overlay_not_found',
  'There is no such overlay. Check the ids of the layers, and that they belong to the issuer.',
);

/** Listens on a free port of 127.0.0.1. @returns the port. */
export async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** Closes a server and its open connections. */
export async function closeServer(server: HttpServer): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
