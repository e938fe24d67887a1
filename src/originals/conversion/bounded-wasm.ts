import { readFileSync } from 'node:fs';

/** Bytes of a decoder's memory: it fails to allocate more. */
const MAX_MEMORY = 2 ** 30;
const PAGE = 2 ** 16;
/** The section of memories (WebAssembly core specification §5.5.8). */
const MEMORY_SECTION = 5;

/** Reads a module, and gives its only memory a maximum. */
export function readBoundedModule(file: string): Uint8Array<ArrayBuffer> {
  const bytes = readFileSync(file);
  for (let at = 8; at < bytes.length;) {
    const size = readNumber(bytes, at + 1);
    const end = size.next + size.value;
    if (bytes[at] === MEMORY_SECTION) {
      const flags = readNumber(bytes, size.next + 1);
      const { value: minimum } = readNumber(bytes, flags.next);
      const section = [1, 1, ...encode(minimum), ...encode(MAX_MEMORY / PAGE)];
      return joined([bytes.subarray(0, at + 1), encode(section.length), section, bytes.subarray(end)]);
    }
    at = end;
  }
  throw new Error(`${file} has no memory`);
}

/** An unsigned number in LEB128 (§5.2.2). */
function readNumber(bytes: Uint8Array, start: number): { readonly value: number; readonly next: number } {
  let [value, at] = [0, start];
  for (let factor = 1; ; factor *= 128) {
    const byte = bytes[at] ?? 0;
    at += 1;
    value += (byte & 127) * factor;
    if (byte < 128) return { value, next: at };
  }
}

const encode = (value: number): number[] =>
  value < 128 ? [value] : [(value & 127) | 128, ...encode(Math.floor(value / 128))];

function joined(parts: readonly (Uint8Array | readonly number[])[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
