import { readFileSync } from 'node:fs';
import { UsageError } from './cli.errors.js';

const STANDARD_INPUT = 0;

/** The text of a file, or of standard input for `-`, without the final line break. @throws UsageError */
export function readInput(file: string): string {
  return readBytes(file)
    .toString('utf8')
    .replace(/\r?\n$/, '');
}

/** The content of a file, or of standard input for `-`. @throws UsageError */
export function readBytes(file: string): Buffer<ArrayBuffer> {
  try {
    return readFileSync(file === '-' ? STANDARD_INPUT : file);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new UsageError(`${file === '-' ? 'Standard input' : file} cannot be read (${reason}).`);
  }
}
