import { connect } from 'node:net';

/** One response as it was sent. */
export interface WireResponse {
  readonly status: number;
  /** Header lines, in order. */
  readonly headers: readonly string[];
  /** Each character is a byte. */
  readonly body: string;
}

/** An action of a client: write bytes, wait for milliseconds or for one more response, or close its side. */
export type Piece = string | number | typeof RESPONSE | typeof HALF_CLOSE;
export const RESPONSE = Symbol('response');
export const HALF_CLOSE = Symbol('half-close');

/** Milliseconds after which the client closes a connection that the server keeps open. */
const DEFAULT_TIMEOUT = 10_000;

/**
 * Writes to a new connection and reads until the server closes it.
 * @returns all received bytes, each as a character.
 */
export function converse(port: number, pieces: readonly Piece[], timeout = DEFAULT_TIMEOUT): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      void (async () => {
        for (const piece of pieces) {
          if (piece === HALF_CLOSE) socket.end();
          else if (piece === RESPONSE) await receive();
          else if (typeof piece === 'number') await new Promise((passed) => setTimeout(passed, piece));
          else if (socket.writable) socket.write(piece, 'latin1');
        }
      })();
    });
    let text = '';
    let received = 0;
    const receive = async (): Promise<void> => {
      received += 1;
      while (!socket.destroyed && countResponses(text) < received) {
        await new Promise((passed) => setTimeout(passed, 5));
      }
    };
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`The connection is still open after ${timeout} ms: ${JSON.stringify(text)}`));
    }, timeout);
    socket.setNoDelay(true).setEncoding('latin1');
    socket.on('data', (chunk: string) => (text += chunk));
    // The server may close the connection while bytes are in transit.
    socket.on('error', () => undefined);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(text);
    });
  });
}

/** The number of complete responses, or 0 if the last one is incomplete. */
function countResponses(text: string): number {
  try {
    return splitResponses(text).length;
  } catch {
    return 0;
  }
}

/**
 * Splits the bytes of a connection into responses, by RFC 9112 §6.3.
 * @param methods Of the requests, in order; any further response is read as one to `GET`.
 * @throws if a response is truncated or malformed, or is followed by other bytes.
 */
export function splitResponses(text: string, methods: readonly string[] = []): readonly WireResponse[] {
  const responses: WireResponse[] = [];
  let rest = text;
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n');
    const [statusLine = '', ...headers] = rest.slice(0, Math.max(end, 0)).split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]);
    if (Number.isNaN(status)) throw new Error(`Not a response: ${JSON.stringify(rest.slice(0, 200))}`);
    rest = rest.slice(end + 4);
    if (status < 200) continue;
    const bodiless = methods[responses.length] === 'HEAD' || status === 204 || status === 304;
    const [body, after] = bodiless ? ['', rest] : splitBody(headers, rest);
    responses.push({ status, headers, body });
    rest = after;
  }
  return responses;
}

function splitBody(headers: readonly string[], rest: string): readonly [body: string, after: string] {
  const find = (name: string): string | undefined =>
    headers.find((line) => line.toLowerCase().startsWith(`${name}: `))?.slice(name.length + 2);
  if (find('transfer-encoding') === 'chunked') {
    let body = '';
    let after = rest;
    for (;;) {
      const line = after.indexOf('\r\n');
      const size = parseInt(after.slice(0, line), 16);
      const from = line + 2;
      if (line < 0 || Number.isNaN(size) || after.length < from + size + 2)
        throw new Error('Truncated chunk');
      body += after.slice(from, from + size);
      after = after.slice(from + size + 2);
      if (size === 0) return [body, after];
    }
  }
  const length = Number(find('content-length'));
  if (!(rest.length >= length)) throw new Error(`A body of ${rest.length} bytes, not ${length}`);
  return [rest.slice(0, length), rest.slice(length)];
}
