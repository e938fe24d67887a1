import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { closeServer, listen } from './http.js';

/** What the host does with a request. */
export type HostAnswer = (request: IncomingMessage, response: ServerResponse) => void;

/** A real HTTP server in place of an account's host: `PROXY_UPSTREAM`. */
export interface AccountHost {
  readonly origin: string;
  /** The requests so far. */
  readonly requests: readonly IncomingMessage[];
  /** Replaces the answer to later requests. */
  answer(next: HostAnswer): void;
  /** Closes the port and every connection. */
  close(): Promise<void>;
}

/** A JPEG to the proxy, which does not read it. */
export const PICTURE = Buffer.from(Array.from({ length: 5_000 }, (_, index) => index % 251));
export const PICTURE_HEADERS = {
  'Content-Type': 'image/jpeg',
  'Content-Length': String(PICTURE.length),
  ETag: '"picture-1"',
  'Last-Modified': 'Sat, 01 Aug 2026 10:00:00 GMT',
  'Cache-Control': 'private, no-transform, immutable, max-age=2592000',
};

export const sendPicture: HostAnswer = (_, response) => {
  response.writeHead(200, PICTURE_HEADERS).end(PICTURE);
};

export async function startAccountHost(): Promise<AccountHost> {
  let answer: HostAnswer = sendPicture;
  const requests: IncomingMessage[] = [];
  const server: Server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  const port = await listen(server);
  return {
    origin: `http://127.0.0.1:${port}`,
    requests,
    answer: (next) => {
      answer = next;
    },
    close: () => closeServer(server),
  };
}

/** A response as a client received it. */
export interface ReceivedView {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Whether the response ended where its head says, on an open connection or a closed one. */
  readonly isWhole: boolean;
}

/** Requests a path over a connection of its own, and reads until the response is whole or the connection closes. */
export function view(
  port: number,
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Readonly<Record<string, string>> } = {},
): Promise<ReceivedView> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(port, '127.0.0.1');
    const lines = Object.entries({ Host: 'img.test', Connection: 'close', ...headers }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    const chunks: Buffer[] = [];
    socket.once('error', reject);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.once('close', () => {
      const received = readView(Buffer.concat(chunks), method);
      if (received === null) reject(new Error('The connection was closed without a response'));
      else resolve(received);
    });
    socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
  });
}

function readView(bytes: Buffer, method: string): ReceivedView | null {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  );
  const status = Number(first.split(' ')[1]);
  const rest = bytes.subarray(end + 4);
  const isBodiless = method === 'HEAD' || status === 304;
  if (headers['transfer-encoding'] === 'chunked' && !isBodiless) {
    return { status, headers, body: rest, isWhole: rest.toString('latin1').endsWith('0\r\n\r\n') };
  }
  return {
    status,
    headers,
    body: rest,
    isWhole: isBodiless ? rest.length === 0 : rest.length === Number(headers['content-length']),
  };
}
