/** Headers that announce one whatever their value. */
const ANNOUNCING: ReadonlySet<string> = new Set(['transfer-encoding', 'trailer', 'upgrade', 'expect']);
const LENGTHS: ReadonlySet<number> = new Set([...ANNOUNCING, 'content-length'].map(({ length }) => length));

/**
 * Whether a request announces a body, or anything else than the next request behind it on its connection
 * (RFC 9110 §6.4, §6.5, §7.8, §10.1.1).
 * @param headers Names and values in turn, as received: Node's `headers` would cost more.
 */
export function announcesBody(headers: readonly string[]): boolean {
  for (let at = 0; at < headers.length; at += 2) {
    const header = headers[at];
    if (header === undefined || !LENGTHS.has(header.length)) continue;
    const name = header.toLowerCase();
    if (ANNOUNCING.has(name) || (name === 'content-length' && headers[at + 1] !== '0')) return true;
  }
  return false;
}
