import { isAscii, isUtf8 } from 'node:buffer';
import { isObject } from '../domain/is-object.js';

/** A JSON object as parsed: every member is an own property, `__proto__` included. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Why a JSON text is refused, although a parser may accept it. */
export type JsonFault = 'not_utf8' | 'not_json' | 'not_object' | 'too_deep' | 'duplicate_name';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

/**
 * Parses bytes that must be one JSON object: valid UTF-8, no BOM, no repeated name in any object, at most `maxDepth`
 * levels (the object itself is one).
 * @param revise Maps a valid object and its text to the result; by default the object.
 * @returns The object, or the fault as a string.
 */
export function parseJsonObject(
  bytes: Buffer,
  maxDepth: number,
  revise: (value: JsonObject, text: string) => JsonObject = (value) => value,
): JsonObject | JsonFault {
  const ascii = isAscii(bytes);
  // Buffer#toString would decode invalid bytes as U+FFFD: two different byte strings, one meaning.
  if (!ascii && !isUtf8(bytes)) return 'not_utf8';
  const text = bytes.toString(ascii ? 'latin1' : 'utf8');
  let value: unknown;
  try {
    // V8's parser has its own stack, so nesting cannot overflow ours; it refuses a BOM, which toString keeps.
    value = JSON.parse(text);
  } catch {
    return 'not_json';
  }
  if (!isObject(value)) return 'not_object';
  return findJsonFault(bytes, value, maxDepth) ?? revise(value, text);
}

/**
 * Finds what `JSON.parse` accepts: nesting beyond `maxDepth`, and a repeated name. It drops all but one member of such a
 * name, so the value has fewer members than the text.
 * @param text UTF-8. @param value `JSON.parse`'s value of it.
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

/** Members of all objects in a value; null if it has more than `depth` levels. */
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
  // JSON.parse's objects have only own members, and `for…in` allocates no list of them.
  for (const name in value) {
    const members = countMembers((value as JsonObject)[name], depth - 1);
    if (members === null) return null;
    count += members + 1;
  }
  return count;
}

/** In valid JSON every colon outside of strings follows a member's name. */
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
