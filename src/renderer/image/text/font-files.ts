import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { namesIn } from '../../../platform/folder.js';
import { parseFontFile } from './fonts.js';

/** A font of the operator. */
export interface FontFile {
  readonly path: string;
  /** Hexadecimal, of the content. */
  readonly sha256: string;
}

/** A file that is not a font: a mistake of the operator, so it aborts the start. */
export class FontFileError extends Error {
  constructor(path: string, reason: string) {
    super(`Font ${path}: ${reason}`);
    this.name = 'FontFileError';
  }
}

const EXTENSIONS = new Set(['.ttf', '.otf']);

/**
 * The fonts that texts may use beside the package's: the files `<folder>/*.ttf` and `*.otf`, by name. Empty if the
 * folder does not exist.
 * @param folder `DATA_DIR/fonts`.
 * @throws FontFileError for a file that is not a font.
 */
export async function loadFontFiles(folder: string): Promise<readonly FontFile[]> {
  const names = (await namesIn(folder)).filter((name) => EXTENSIONS.has(extname(name).toLowerCase()));
  return Promise.all(names.map((name) => readFontFile(join(folder, name))));
}

async function readFontFile(path: string): Promise<FontFile> {
  const content = await readFile(path);
  await parseFontFile(content).catch((error: unknown) => {
    throw new FontFileError(path, error instanceof Error ? error.message : String(error));
  });
  return { path, sha256: createHash('sha256').update(content).digest('hex') };
}
