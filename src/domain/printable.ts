/** Anything a terminal, a log line or a page could be fooled by: controls, format characters, lone surrogates. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;
const MAX_LENGTH = 100;

/** A text that a client sent, as an error may show it: at most 100 characters, `?` for each that cannot be seen. */
export function printable(text: string): string {
  const shown = text.slice(0, MAX_LENGTH + 1).replace(UNPRINTABLE, '?');
  return shown.length > MAX_LENGTH ? `${shown.slice(0, MAX_LENGTH - 1)}…` : shown;
}
