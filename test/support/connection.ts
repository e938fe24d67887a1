import { connect } from 'node:net';

/** One response as it was on the wire. */
export interface WireResponse {
  readonly status: number;
  /** Header lines, in order. */
  readonly headers: readonly string[];
  /** Each character is a byte. */
  readonly body: string;
}

/** What a client does: it writes bytes, waits so many milliseconds or for a further response, or writes nothing more. */
export type Piece = string | number | typeof RESPONSE | typeof HALF_CLOSE;
export const RESPONSE = Symbol('response');
export const HALF_CLOSE = Symbol('half-close');

/** Milliseconds after which a connection that the server leaves open is given up. */
const TIMEOUT_SCALE = 10_000;

/**
 * Writes to a connection of its own and reads until the server closes it.
 * @returns all bytes that came, each as a character.
 */
export function converse(
  port: number,
  pieces: readonly Piece[],
  timeoutScale = TIMEOUT_SCALE,
): Promise<string> {
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
      reject(new Error(`The connection is still open after ${timeoutScale} ms: ${JSON.stringify(text)}`));
    }, timeoutScale);
    socket.setNoDelay(true).setEncoding('latin1');
    socket.on('data', (chunk: string) => (text += chunk));
    // The server may close the connection while bytes for it are on their way.
    socket.on('error', () => undefined);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(text);
    });
  });
}

/** How many responses have come whole, if the last one has. */
function countResponses(text: string): number {
  try {
    return splitResponses(text).length;
  } catch {
    return 0;
  }
}

/**
 * Takes apart what came on a connection, by RFC 9112 §6.3.
 * @param methods Of the requests, in order; a response beyond them is read as one to `GET`.
 * @throws where a response is cut or malformed, or something else than a response follows.
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
      if (line < 0 || Number.isNaN(size) || after.length < from + size + 2) throw new Error('A cut chunk');
      body += after.slice(from, from + size);
      after = after.slice(from + size + 2);
      if (size === 0) return [body, after];
    }
  }
  const length = Number(find('content-length'));
  if (!(rest.length >= length)) throw new Error(`A body of ${rest.length} bytes, not ${length}`);
  return [rest.slice(0, length), rest.slice(length)];
}
