import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isObject } from '../../domain/is-object.js';
import { namesIn } from '../../platform/folder.js';
import { TRANSFORMATION_NAME } from '../../transformations/vocabulary.js';
import { RenderError } from '../image/render.errors.js';
import { parseChain } from './chain.parser.js';

/** An invalid file of a named transformation: a mistake of the operator, so it aborts the start. */
export class NamedTransformationError extends Error {
  constructor(file: string, reason: string) {
    super(`Named transformation ${file}: ${reason}`);
    this.name = 'NamedTransformationError';
  }
}

/** Components by the name of the transformation, as a URL writes it. */
export type NamedTransformations = ReadonlyMap<string, readonly string[]>;

/**
 * The components of a named transformation from the JSON of its file: {"transformation":"c_fill,h_90,w_90/e_sepia"}.
 * @throws NamedTransformationError
 */
export function readNamedTransformation(file: string, json: string): readonly string[] {
  let data: unknown;
  try {
    data = JSON.parse(json);
  } catch {
    throw new NamedTransformationError(file, 'not JSON');
  }
  if (!isObject(data) || typeof data['transformation'] !== 'string' || Object.keys(data).length > 1) {
    throw new NamedTransformationError(file, 'expected {"transformation":"<components as in a URL>"}');
  }
  const chain = data['transformation'].split('/');
  try {
    const nested = parseChain(chain).find(({ values }) => values.has('t'));
    if (nested) throw new RenderError(400, `Another named transformation in component ${nested.text}`);
  } catch (error) {
    if (error instanceof RenderError) throw new NamedTransformationError(file, error.message);
    throw error;
  }
  return chain;
}

/**
 * The named transformations: the files `<folder>/<name>.json`, by name. Empty if the folder does not exist.
 * @param folder `DATA_DIR/transformations`.
 * @throws NamedTransformationError for an invalid file.
 */
export async function loadNamedTransformations(folder: string): Promise<NamedTransformations> {
  const named = new Map<string, readonly string[]>();
  for (const file of (await namesIn(folder)).filter((name) => name.endsWith('.json'))) {
    const name = TRANSFORMATION_NAME.write(basename(file, '.json'));
    if (name === undefined) {
      throw new NamedTransformationError(file, `allowed are ${TRANSFORMATION_NAME.allowed}`);
    }
    named.set(name, readNamedTransformation(file, await readFile(join(folder, file), 'utf8')));
  }
  return named;
}

/**
 * A chain with its named transformations replaced by their components. An unknown name stays, and is refused by the
 * renderer.
 */
export function expandNamed(chain: readonly string[], named: NamedTransformations): readonly string[] {
  return chain.flatMap((component) => {
    const names = /^t_([^,]+)$/.exec(component)?.[1]?.split('.') ?? [];
    const parts = names.map((name) => named.get(name));
    return names.length > 0 && parts.every((part) => part !== undefined) ? parts.flat() : [component];
  });
}
