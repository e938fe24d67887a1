/** Label and value; null is printed as a dash. */
export type Row = readonly [label: string, value: string | number | null];

/** Characters that could manipulate a terminal: controls, format characters, line separators. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** Of the process, as its streams: each command writes to the same ones. */
let json = false;

/** From now on results are JSON, and each line of standard error is a JSON object. */
export function useJson(): void {
  json = true;
}

/** Untrusted text, such as a token's keys, made safe to print. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, '?');
}

/** Lines on standard output: the command's result. */
export function print(...lines: readonly string[]): void {
  if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** The result of a command: with `--json` the value, else the lines. */
export function printResult(value: unknown, lines: () => readonly string[]): void {
  if (json) printJson(value);
  else print(...lines());
}

/** One of the results of a command that runs on: with `--json` the value in one line. */
export function printNext(value: unknown, line: () => string): void {
  print(json ? JSON.stringify(value) : line());
}

/** Rows with aligned values. */
export function formatRows(rows: readonly Row[]): string[] {
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, value]) => `${label.padEnd(width)}  ${printable(String(value ?? '-'))}`);
}

/** Each row of a list as a paragraph. */
export function formatList<T>(items: readonly T[], rowsOf: (item: T) => readonly Row[]): string[] {
  return items.flatMap((item, index) => [...(index === 0 ? [] : ['']), ...formatRows(rowsOf(item))]);
}

/** A note on standard error, so that results can be piped without it. */
export function note(text: string): void {
  process.stderr.write(json ? `${JSON.stringify({ note: text })}\n` : `note: ${printable(text)}\n`);
}
