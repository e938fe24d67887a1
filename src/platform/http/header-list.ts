/** Headers in the order and spelling in which they are sent. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** Headers of responses that no cache may store and whose type no browser may guess. */
export const DEFAULT_HEADERS: HeaderList = [
  ['Cache-Control', 'no-store'],
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'no-referrer'],
];

/** Header lines. @param headers Names and values in turn, of plain text. */
export function writeHeaders(headers: readonly string[]): string {
  let lines = '';
  for (let at = 0; at < headers.length; at += 2) lines += `${headers[at]}: ${headers[at + 1]}\r\n`;
  return lines;
}

/**
 * The number of headers of a name.
 * @param headers Names and values in turn, as received: Node's `headers` would cost more.
 * @param name In lower case.
 */
export function countHeader(headers: readonly string[], name: string): number {
  let count = 0;
  for (let at = 0; at < headers.length; at += 2) {
    const header = headers[at];
    if (header?.length === name.length && header.toLowerCase() === name) count += 1;
  }
  return count;
}

const PLAIN = /^[\x20-\x7e]*$/;

/** Whether a text is printable ASCII: valid in a header, and its characters are its bytes. */
export function isPlainText(text: string): boolean {
  return PLAIN.test(text);
}
