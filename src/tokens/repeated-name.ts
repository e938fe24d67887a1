/** Tokens of JSON: a string, a name with its colon, a bracket. */
const MARK = /"[^"\\]*(?:\\.[^"\\]*)*"(?:\s*:)?|[{}[\]]/g;

/**
 * The first name that an object of a JSON text has twice, with its path: `presets.card`. Null if no name is repeated.
 * @param text Valid JSON.
 */
export function findRepeatedName(text: string): string | null {
  const open: { readonly names: Set<string>; last: string | null }[] = [];
  for (const [mark] of text.matchAll(MARK)) {
    const object = open.at(-1);
    if (mark === '{' || mark === '[') open.push({ names: new Set(), last: null });
    else if (mark === '}' || mark === ']') open.pop();
    else if (mark.endsWith(':') && object !== undefined) {
      object.last = JSON.parse(mark.slice(0, -1)) as string;
      if (object.names.has(object.last)) return open.flatMap(({ last }) => last ?? []).join('.');
      object.names.add(object.last);
    }
  }
  return null;
}

/** The fault of a repeated member; completes "`member` …". */
export const REPEATED = 'must appear only once';
