import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  expandNamed,
  loadNamedTransformations,
  NamedTransformationError,
  readNamedTransformation,
} from '../../src/renderer/chain/named-transformations.js';

const json = (transformation: unknown): string => JSON.stringify({ transformation });

describe('a file of a named transformation', () => {
  it('has the components of a URL', () => {
    expect(readNamedTransformation('a.json', json('c_fill,h_90,w_90/l_mark,w_20'))).toEqual([
      'c_fill,h_90,w_90',
      'l_mark,w_20',
    ]);
  });

  it.each([
    ['{', 'not JSON'],
    ['[]', 'expected {"transformation":"<components as in a URL>"}'],
    [json(5), 'expected {"transformation":"<components as in a URL>"}'],
    ['{"transformation":"w_9","format":"jpg"}', 'expected {"transformation":"<components as in a URL>"}'],
    [json(''), 'Invalid transformation component - '],
    [json('w_9//h_9'), 'Invalid transformation component - '],
    [json('w_0'), 'Invalid value 0 for parameter w in component w_0'],
    [json('t_other/w_9'), 'Another named transformation in component t_other'],
  ])('%s is refused at the start', (text, reason) => {
    expect(() => readNamedTransformation('a.json', text)).toThrow(
      new NamedTransformationError('a.json', reason),
    );
  });
});

describe('the folder of named transformations', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'transformations-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  it('may be missing, and has a file for each name', async () => {
    expect(await loadNamedTransformations(join(folder, 'none'))).toEqual(new Map());
    await writeFile(join(folder, 'thumb.json'), json('w_9'));
    await writeFile(join(folder, 'media lib.json'), json('h_9/e_sepia'));
    await writeFile(join(folder, 'notes.txt'), 'not a transformation');
    expect(await loadNamedTransformations(folder)).toEqual(
      new Map([
        ['media%20lib', ['h_9', 'e_sepia']],
        ['thumb', ['w_9']],
      ]),
    );
  });

  it('aborts the start with a name that no URL has, or an unreadable folder', async () => {
    await writeFile(join(folder, 'a.b.json'), json('w_9'));
    await expect(loadNamedTransformations(folder)).rejects.toThrow(
      /^Named transformation a\.b\.json: allowed/,
    );
    await mkdir(join(folder, 'sub'));
    await expect(loadNamedTransformations(join(folder, 'a.b.json'))).rejects.toThrow(/ENOTDIR/);
  });
});

describe('a chain with named transformations', () => {
  const named = new Map([
    ['thumb', ['w_9', 'e_sepia']],
    ['flip', ['a_hflip']],
  ]);

  it.each([
    [['t_thumb'], ['w_9', 'e_sepia']],
    [
      ['h_9', 't_flip.thumb'],
      ['h_9', 'a_hflip', 'w_9', 'e_sepia'],
    ],
    [
      ['l_mark', 't_thumb', 'fl_layer_apply'],
      ['l_mark', 'w_9', 'e_sepia', 'fl_layer_apply'],
    ],
    [['t_unknown'], ['t_unknown']],
    [['t_thumb.unknown'], ['t_thumb.unknown']],
    [['t_thumb,w_9'], ['t_thumb,w_9']],
    [['t_constructor'], ['t_constructor']],
    [[], []],
  ])('%j is %j', (chain, expanded) => {
    expect(expandNamed(chain, named)).toEqual(expanded);
  });
});
