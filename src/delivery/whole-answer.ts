import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';

/** Where Node's response keeps a head that was written. */
interface ResponseInside {
  _header: string | null;
  _hasBody: boolean;
  readonly _keepAliveTimeout: number;
  readonly maxRequestsOnConnectionReached?: boolean;
}

const PLAIN = /^[\x20-\x7e]*$/;

/** Whether a text can stand in a header and in a body whose characters are its bytes. */
export function isPlainText(text: string): boolean {
  return PLAIN.test(text);
}

/** Headers as they are on the wire. @param headers Names and values in turn, of plain text. */
export function writeHeaders(headers: readonly string[]): string {
  let lines = '';
  for (let at = 0; at < headers.length; at += 2) lines += `${headers[at]}: ${headers[at + 1]}\r\n`;
  return lines;
}

/** Whether an answer may be sent by `sendWhole`: on a connection that stays open, as HTTP/1.1's does by default. */
export function isFitForWhole({ httpVersion }: IncomingMessage, response: ServerResponse): boolean {
  const { _header: head, maxRequestsOnConnectionReached: last } = response as unknown as ResponseInside;
  return httpVersion === '1.1' && response.shouldKeepAlive && head === null && last !== true;
}

/**
 * Sends a head and a body as one text. Node would look at every header again and write in two pieces, which together
 * are a fifth of a bare server's work. Node's own answer, which all others get, judges it in test/e2e/whole-answer.spec.ts.
 * @param head Headers as `writeHeaders` has them, `Content-Length` among them, `Date` not.
 * @param body Each character is a byte.
 */
export function sendWhole(response: ServerResponse, status: number, head: string, body: string): void {
  const inside = response as unknown as ResponseInside;
  const seconds = Math.floor(inside._keepAliveTimeout / 1000);
  response.statusCode = status;
  inside._header =
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head}Date: ${dateNow()}\r\nConnection: keep-alive\r\nKeep-Alive: timeout=${seconds}\r\n\r\n` +
    (inside._hasBody ? body : '');
  // All of it is in the head.
  inside._hasBody = false;
  response.end();
}

let second = 0;
let date = '';

/** HTTP's date (RFC 9110 §5.6.7), once for each second. */
function dateNow(): string {
  const now = Math.floor(Date.now() / 1000);
  if (now !== second) {
    second = now;
    date = new Date(now * 1000).toUTCString();
  }
  return date;
}
