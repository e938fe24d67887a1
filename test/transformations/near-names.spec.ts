import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NearNames } from '../../src/domain/near-names.js';
import { IGNORED_KEYS, nearStepKey, PARAMETERS } from '../../src/transformations/vocabulary.js';

/** The optimal string alignment distance, by its definition. */
function distance(one: string, other: string): number {
  const rows = Array.from({ length: one.length + 1 }, (_, row) =>
    Array.from({ length: other.length + 1 }, (__, column) => (row === 0 ? column : column === 0 ? row : 0)),
  );
  const at = (row: number, column: number): number => rows[row]?.[column] ?? Infinity;
  for (let row = 1; row <= one.length; row += 1) {
    for (let column = 1; column <= other.length; column += 1) {
      const same = one[row - 1] === other[column - 1];
      const swapped = one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      (rows[row] ?? [])[column] = Math.min(
        at(row - 1, column) + 1,
        at(row, column - 1) + 1,
        at(row - 1, column - 1) + (same ? 0 : 1),
        row > 1 && column > 1 && swapped ? at(row - 2, column - 2) + 1 : Infinity,
      );
    }
  }
  return at(one.length, other.length);
}

describe('a near name', () => {
  it('is, among names without case, dashes and plurals, one at the distance 1', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 3, maxLength: 7 });
    fc.assert(
      fc.property(name, name, (known, unknown) => {
        const expected = distance(known, unknown) === 1 ? known : null;
        expect(new NearNames([known], new Set()).find(unknown)).toBe(expected);
      }),
      { numRuns: 20_000 },
    );
  });

  it('is never a known name, an exempt name or one beyond 64 characters', () => {
    const names = new NearNames(['width', 'widths'], new Set(['wirth']));
    expect(names.find('widths')).toBeNull();
    expect(names.find('wirth')).toBeNull();
    expect(names.find(' WIRTH')).toBeNull();
    expect(names.find(`w${'_'.repeat(59)}idth`)).toBe('width');
    expect(names.find(`w${'_'.repeat(60)}idth`)).toBeNull();
  });
});

describe('an unknown key of a step', () => {
  it.each<[key: string, near: string]>([
    ['widht', 'width'],
    ['wdth', 'width'],
    ['widtth', 'width'],
    ['with', 'width'],
    ['widtz', 'width'],
    ['width ', 'width'],
    [' width\t', 'width'],
    [`width${' '.repeat(100)}`, 'width'],
    [' widht ', 'width'],
    ['w\u200bidth\ufeff', 'width'],
    ['fetch format', 'fetch_format'],
    ['fetchFromat', 'fetch_format'],
    [' x ', 'x'],
    ['Width', 'width'],
    ['WIDTH', 'width'],
    ['X', 'x'],
    ['overlays', 'overlay'],
    ['overlay_', 'overlay'],
    ['opacities', 'opacity'],
    ['flag', 'flags'],
    ['transformations', 'transformation'],
    ['fetchFormat', 'fetch_format'],
    ['fetch-format', 'fetch_format'],
    ['FetchFormats', 'fetch_format'],
    ['fetchformat', 'fetch_format'],
    ['dprr', 'dpr'],
    ['drp', 'dpr'],
    ['colour', 'color'],
    ['presets', 'preset'],
    ['Preset', 'preset'],
    ['prset', 'preset'],
    // Short codes of the URL.
    ...PARAMETERS.filter(({ key, code }) => code !== '' && code !== key).map(
      ({ key, code }): [string, string] => [code, key],
    ),
    ['W', 'width'],
    [' w ', 'width'],
  ])('%s was probably meant to be %s', (key, near) => {
    expect(nearStepKey(key)).toBe(near);
  });

  it.each([
    ...['miaim', 'super_plop', '', ' ', 'i', 'j', 'ww', 'xy', 'yx', 'dp', 'fp', 'if', 'wdht', 'widthxx'],
    ...[
      '$x',
      '$y',
      '$width',
      ' $width',
      ' type ',
      'Format',
      '$overlay',
      '__proto__',
      'constructor',
      'toString',
      'hasOwnProperty',
      'preset',
    ],
    ...IGNORED_KEYS.keys(),
    ...PARAMETERS.map(({ key }) => key),
  ])('%j resembles no known key', (key) => {
    expect(nearStepKey(key)).toBeNull();
  });

  it('is never one that the SDK itself knows', () => {
    const consts = createRequire(import.meta.url)('cloudinary/lib/utils/consts.js') as {
      readonly TRANSFORMATION_PARAMS: readonly string[];
    };
    // `URL_KEYS` in lib/utils/index.js is not exported.
    const urlKeys = ['long_url_signature', 'secure_cdn_subdomain', 'shorten', 'sign_url', 'ssl_detected'];
    const known = [...consts.TRANSFORMATION_PARAMS, ...urlKeys];
    expect(known).toContain('raw_transformation');
    expect(known.filter((key) => nearStepKey(key) !== null)).toStrictEqual([]);
  });
});
