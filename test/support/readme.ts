import { readFileSync } from 'node:fs';

/** The fenced blocks of a document by their place: `Start / sh 2` is the second `sh` block below the heading Start. */
export function readBlocks(path: string): ReadonlyMap<string, string> {
  const blocks = new Map<string, string>();
  let heading = '';
  for (const [, title, language = '', text = ''] of readFileSync(path, 'utf8').matchAll(
    /^#+ (.+)$|^```(\w*)\n([^]*?)^```$/gm,
  )) {
    if (title !== undefined) {
      heading = title;
      continue;
    }
    let number = 1;
    while (blocks.has(`${heading} / ${language} ${number}`)) number += 1;
    blocks.set(`${heading} / ${language} ${number}`, text);
  }
  return blocks;
}

/** A block of a document by its place. @throws if the document has no block there. */
export function documentBlock(path: string, place: string): string {
  const block = readBlocks(path).get(place);
  if (block === undefined) throw new Error(`${path} has no block ${place}`);
  return block;
}

/** A block of the README. @throws if it has no block there. */
export const readmeBlock = (place: string): string => documentBlock('README.md', place);

/** Replaces what a reader fills in. @throws if a placeholder is missing. */
export function fillIn(text: string, values: Readonly<Record<string, string>>): string {
  return Object.entries(values).reduce((filled, [blank, value]) => {
    if (!filled.includes(blank)) throw new Error(`There is no ${blank} in: ${filled}`);
    return filled.replaceAll(blank, value);
  }, text);
}
