import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { color } from '../../../transformations/color.js';
import { isObject } from '../../../domain/is-object.js';
import { namesIn } from '../../../platform/folder.js';
import { TEXT_LAYER_MEMBERS } from '../../../transformations/text-layer.js';
import type { TextStyle } from './text-style.js';

/** An invalid file of a named text style: a mistake of the operator, so it aborts the start. */
export class TextStyleError extends Error {
  constructor(file: string, reason: string) {
    super(`Text style ${file}: ${reason}`);
    this.name = 'TextStyleError';
  }
}

/** Members of a style that are numbers in a URL. */
const NUMBERS = new Set(['font_size', 'letter_spacing', 'line_spacing']);
const NOT_OF_A_STYLE = new Set(['text_style', 'public_id', 'resource_type']);

/**
 * A text style from the JSON of its file: {"font_family":"Arial","font_size":40,…}, the members of a text layer and
 * `font_color` and `background`.
 * @throws TextStyleError
 */
export function readTextStyle(file: string, json: string): TextStyle {
  let data: unknown;
  try {
    data = JSON.parse(json);
  } catch {
    throw new TextStyleError(file, 'not JSON');
  }
  if (!isObject(data)) throw new TextStyleError(file, 'not an object');
  const members: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(data)) {
    const grammar =
      name === 'font_color' || name === 'background'
        ? color
        : NOT_OF_A_STYLE.has(name)
          ? undefined
          : TEXT_LAYER_MEMBERS.get(name);
    const written = grammar?.write(value);
    if (written === undefined) {
      throw new TextStyleError(file, `${name}: ${grammar ? `allowed is ${grammar.allowed}` : 'unknown'}`);
    }
    members[name] = NUMBERS.has(name) ? Number(written) : written.replaceAll('%20', ' ');
  }
  const { font_family: family, font_size: size } = members;
  if (typeof family !== 'string' || typeof size !== 'number') {
    throw new TextStyleError(file, 'font_family and font_size are required');
  }
  return { ...members, font_family: family, font_size: size };
}

/**
 * The named text styles: the files `<folder>/<name>.json`, by name. Empty if the folder does not exist.
 * @param folder `DATA_DIR/text-styles`.
 * @throws TextStyleError for an invalid file.
 */
export async function loadTextStyles(folder: string): Promise<ReadonlyMap<string, TextStyle>> {
  const styles = new Map<string, TextStyle>();
  for (const file of (await namesIn(folder)).filter((name) => name.endsWith('.json'))) {
    styles.set(basename(file, '.json'), readTextStyle(file, await readFile(join(folder, file), 'utf8')));
  }
  return styles;
}
