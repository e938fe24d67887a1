/** What opens, closes and names in a JSON text: strings whole, and the colon behind a name. */
const MARK = /"[^"\\]*(?:\\.[^"\\]*)*"(?:\s*:)?|[{}[\]]/g;

/**
 * The first name that an object of a JSON text has twice, behind those of the members around it: `presets.card`. Null
 * where there is none.
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

/** What is wrong with a member that an object has twice; completes "`member` …". */
export const REPEATED = 'must appear only once';
