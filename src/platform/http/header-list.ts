/** Headers in the order and spelling in which they are sent. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** What a response has that no cache may store and whose type no browser may guess. */
export const DEFAULT_HEADERS: HeaderList = [
  ['Cache-Control', 'no-store'],
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'no-referrer'],
];

/** Headers as they are on the wire. @param headers Names and values in turn, of plain text. */
export function writeHeaders(headers: readonly string[]): string {
  let lines = '';
  for (let at = 0; at < headers.length; at += 2) lines += `${headers[at]}: ${headers[at + 1]}\r\n`;
  return lines;
}

const PLAIN = /^[\x20-\x7e]*$/;

/** Whether a text can stand in a header, and in a body whose characters are its bytes. */
export function isPlainText(text: string): boolean {
  return PLAIN.test(text);
}
