/** Label and value; null is printed as a dash. */
export type Row = readonly [label: string, value: string | number | null];

/** Characters that could manipulate a terminal: controls, format characters, line separators. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** Untrusted text, such as a token's keys, made safe to print. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, '?');
}

/** Lines on standard output: the command's result. */
export function print(...lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** Rows with aligned values. */
export function formatRows(rows: readonly Row[]): string[] {
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, value]) => `${label.padEnd(width)}  ${printable(String(value ?? '-'))}`);
}

/** A note on standard error, so that results can be piped without it. */
export function note(text: string): void {
  process.stderr.write(`note: ${printable(text)}\n`);
}
