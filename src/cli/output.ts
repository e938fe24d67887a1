/** Label and value; a null value is shown as a dash. */
export type Row = readonly [label: string, value: string | number | null];

/** Anything a terminal could be fooled by: controls, format characters, line separators. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** Text of somebody else, such as a token's own keys, made safe to show. */
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

/** Rows with their values in one column. */
export function formatRows(rows: readonly Row[]): string[] {
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, value]) => `${label.padEnd(width)}  ${printable(String(value ?? '-'))}`);
}

/** A remark on standard error: results can be piped on without it. */
export function note(text: string): void {
  process.stderr.write(`note: ${printable(text)}\n`);
}
