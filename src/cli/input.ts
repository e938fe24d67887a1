import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { UsageError } from './cli.errors.js';

const STANDARD_INPUT = 0;

/** The text of a file, or of standard input for `-`, without the final line break. @throws UsageError */
export function readInput(file: string): string {
  return readBytes(file)
    .toString('utf8')
    .replace(/\r?\n$/, '');
}

/** A file to upload. */
export interface InputFile {
  readonly content: Buffer<ArrayBuffer>;
  /** With its extension; of standard input, what forms call a file without a name. */
  readonly filename: string;
}

/** A file, or standard input for `-`. @throws UsageError */
export function readFile(file: string): InputFile {
  return { content: readBytes(file), filename: file === '-' ? 'blob' : basename(file) };
}

function readBytes(file: string): Buffer<ArrayBuffer> {
  try {
    return readFileSync(file === '-' ? STANDARD_INPUT : file);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new UsageError(`${file === '-' ? 'Standard input' : file} cannot be read (${reason}).`);
  }
}
