import { isAscii, isUtf8 } from 'node:buffer';

/** A JSON object as parsed: every member is an own property, `__proto__` included. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** What makes a JSON text unfit, though some parser may take it. */
export type JsonFault = 'not_utf8' | 'not_json' | 'not_object' | 'too_deep' | 'duplicate_name';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

/**
 * Parses bytes that must be one JSON object: valid UTF-8, no BOM, no name twice in one object at any level, at most
 * `maxDepth` containers inside each other (the object itself counts as one).
 * @param revise Reads the text of a sound object again; its own value where absent.
 * @returns The object, or the fault as a string.
 */
export function parseJsonObject(
  bytes: Buffer,
  maxDepth: number,
  revise: (value: JsonObject, text: string) => JsonObject = (value) => value,
): JsonObject | JsonFault {
  const ascii = isAscii(bytes);
  // Buffer#toString would turn bad bytes into U+FFFD: two different byte strings, one meaning.
  if (!ascii && !isUtf8(bytes)) return 'not_utf8';
  const text = bytes.toString(ascii ? 'latin1' : 'utf8');
  let value: unknown;
  try {
    // V8's parser keeps its own stack, so nesting cannot overflow ours; it refuses a BOM, which toString keeps.
    value = JSON.parse(text);
  } catch {
    return 'not_json';
  }
  if (!isJsonObject(value)) return 'not_object';
  return findJsonFault(bytes, value, maxDepth) ?? revise(value, text);
}

/** True for an object that is neither null nor an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Looks for what `JSON.parse` lets pass: nesting beyond `maxDepth`, and a name that an object has twice. Of such a
 * pair one member is left, so there are fewer in the value than in its text.
 * @param text In UTF-8. @param value What `JSON.parse` made of it.
 */
export function findJsonFault(
  text: Uint8Array,
  value: unknown,
  maxDepth: number,
): 'too_deep' | 'duplicate_name' | null {
  const members = countMembers(value, maxDepth);
  if (members === null) return 'too_deep';
  return members === countColons(text) ? null : 'duplicate_name';
}

/** Members of all objects in a value; null where containers lie deeper inside each other than `depth`. */
function countMembers(value: unknown, depth: number): number | null {
  if (typeof value !== 'object' || value === null) return 0;
  if (depth === 0) return null;
  let count = 0;
  if (Array.isArray(value)) {
    for (const each of value as readonly unknown[]) {
      const members = countMembers(each, depth - 1);
      if (members === null) return null;
      count += members;
    }
    return count;
  }
  // What JSON.parse made has no members but its own; to go through them makes no list of them.
  for (const name in value) {
    const members = countMembers((value as JsonObject)[name], depth - 1);
    if (members === null) return null;
    count += members + 1;
  }
  return count;
}

/** In valid JSON a colon outside strings stands after a member's name, and nowhere else. */
function countColons(text: Uint8Array): number {
  let count = 0;
  for (let at = 0; at < text.length; at += 1) {
    const byte = text[at];
    if (byte === COLON) count += 1;
    else if (byte === QUOTE) at = findStringEnd(text, at);
  }
  return count;
}

/** The index of the quote that closes the string opened at `start`. */
function findStringEnd(text: Uint8Array, start: number): number {
  let at = start + 1;
  for (; at < text.length; at += 1) {
    const byte = text[at];
    if (byte === QUOTE) break;
    if (byte === BACKSLASH) at += 1;
  }
  return at;
}
