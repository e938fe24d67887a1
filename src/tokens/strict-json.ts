import { isUtf8 } from 'node:buffer';

/** A JSON object as parsed: every member is an own property, `__proto__` included. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** What makes a JSON text unfit, though some parser may take it. */
export type JsonFault = 'not_utf8' | 'not_json' | 'not_object' | 'too_deep' | 'duplicate_name';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/**
 * Parses bytes that must be one JSON object: valid UTF-8, no BOM, no name twice in one object at any level, at most
 * `maxDepth` containers inside each other (the object itself counts as one).
 * @returns The object, or the fault as a string.
 */
export function parseJsonObject(bytes: Buffer, maxDepth: number): JsonObject | JsonFault {
  // Buffer#toString would turn bad bytes into U+FFFD: two different byte strings, one meaning.
  if (!isUtf8(bytes)) return 'not_utf8';
  const text = bytes.toString('utf8');
  let value: unknown;
  try {
    // V8's parser keeps its own stack, so nesting cannot overflow ours; it refuses a BOM, which toString keeps.
    value = JSON.parse(text);
  } catch {
    return 'not_json';
  }
  if (!isJsonObject(value)) return 'not_object';
  return findJsonFault(text, maxDepth) ?? value;
}

/** True for an object that is neither null nor an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Looks for what `JSON.parse` lets pass: repeated member names and deep nesting. Linear, without recursion.
 * The text must be one that `JSON.parse` accepts; for any other the answer means nothing.
 */
export function findJsonFault(text: string, maxDepth: number): 'too_deep' | 'duplicate_name' | null {
  // One entry per open container: the names seen in an object, null for an array.
  const open: (Set<string> | null)[] = [];
  let names: Set<string> | null = null;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case OPEN_BRACE:
      case OPEN_BRACKET:
        if (open.length >= maxDepth) return 'too_deep';
        names = text.charCodeAt(at) === OPEN_BRACE ? new Set() : null;
        open.push(names);
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        open.pop();
        names = open.at(-1) ?? null;
        break;
      case QUOTE: {
        const end = findStringEnd(text, at);
        if (names !== null && isFollowedByColon(text, end)) {
          const name = readName(text, at, end);
          if (names.has(name)) return 'duplicate_name';
          names.add(name);
        }
        at = end;
        break;
      }
    }
  }
  return null;
}

/** The index of the quote that closes the string opened at `start`. */
function findStringEnd(text: string, start: number): number {
  let at = start + 1;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) break;
    if (code === BACKSLASH) at++;
  }
  return at;
}

/** In valid JSON a colon outside strings stands after a member's name, and nowhere else. */
function isFollowedByColon(text: string, end: number): boolean {
  for (let at = end + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return code === COLON;
  }
  return false;
}

/** A name with its escapes decoded: `"\u0069ss"` is `iss`, or one name could be spelled twice unnoticed. */
function readName(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end);
  return raw.includes('\\') ? String(JSON.parse(`"${raw}"`)) : raw;
}
