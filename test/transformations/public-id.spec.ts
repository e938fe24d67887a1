import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseChain } from '../../src/renderer/chain/chain.parser.js';
import { readsAsComponent } from '../../src/transformations/component-folder.js';
import { EFFECTS } from '../../src/transformations/effects.js';
import { FLAGS } from '../../src/transformations/flags.js';
import { findPublicIdFault } from '../../src/transformations/public-id.js';
import { TransformationMapper } from '../../src/transformations/transformation.mapper.js';
import { PARAMETERS } from '../../src/transformations/vocabulary.js';
import { acceptedSteps } from '../support/steps.arbitrary.js';

describe('a public id', () => {
  it.each([
    'ba5a440dbe3d',
    'Beyonce\u0301_kofryc',
    'Beyonc\u0327e\u0301_kofryc',
    'e\u0301',
    '写真/東京',
    '👩‍👩‍👧',
    'می‌خواهم',
    'h_and_m/1',
    'e_commerce/x',
    'e_mail/x',
    'b_roll/x',
    'b_red_sox/x',
    'a_team/x',
    'c_and_a/x',
    'x_ray/x',
    'o_neill/x',
    'r_and_b/x',
    'q_tips/x',
    'f_secure/x',
    'bo_derek/x',
    'T_Shirts/red',
    'my_photos/x',
    'abcd_1234/x',
    'Smith, John/1',
    'a,b/c',
    // After another folder nothing is read as a component, and the last segment never is.
    'shoes/t_shirts/red',
    'shoes/w_100/x',
    't_shirts',
    'w_100',
    'v12',
    'a/v12',
    'v2x/shoes',
    'version2/shoes',
    'Interview: John',
    'chapter:1/x',
    '12:30',
    "!'()*-._~ $@=;",
  ])('is accepted unchanged: %j', (publicId) => {
    expect(findPublicIdFault(publicId)).toBeNull();
  });

  const component = (folder: string, other: string): string =>
    `must not begin with the folder \`${folder}\`, which Cloudinary reads as a transformation: ` +
    `the signature would also open \`${other}\``;

  it.each([
    ['t_shirts/red', 't_shirts', 'red'],
    ['t_shirts/new/red', 't_shirts', 'new/red'],
    ['l_oreal/red', 'l_oreal', 'red'],
    ['u_2/band_photo', 'u_2', 'band_photo'],
    ['l_private:secret/a', 'l_private:secret', 'a'],
    ['d_avatar.png/a', 'd_avatar.png', 'a'],
    ['w_1/a', 'w_1', 'a'],
    ['w_/a', 'w_', 'a'],
    ['w_iw_div_2/a', 'w_iw_div_2', 'a'],
    ['h_initialHeight/a', 'h_initialHeight', 'a'],
    ['w_99999999/a', 'w_99999999', 'a'],
    ['c_fit,w_1/a', 'c_fit,w_1', 'a'],
    ['w_1,other/a', 'w_1,other', 'a'],
    ['l_red,other/a', 'l_red,other', 'a'],
    [',w_1/a', ',w_1', 'a'],
    ['c_fit, w_1/a', 'c_fit, w_1', 'a'],
    ['，w_1/a', '，w_1', 'a'],
    ['w＿1/a', 'w＿1', 'a'],
    ['c_fit，w_1/a', 'c_fit，w_1', 'a'],
    ['b_red/a', 'b_red', 'a'],
    ['b_LightGoldenrod1/a', 'b_LightGoldenrod1', 'a'],
    ['co_rgb:fff/a', 'co_rgb:fff', 'a'],
    ['e_blur:9999/a', 'e_blur:9999', 'a'],
    ['e_reverse/a', 'e_reverse', 'a'],
    ['f_jpg/a', 'f_jpg', 'a'],
    ['fl_tiled/a', 'fl_tiled', 'a'],
    ['g_star/a', 'g_star', 'a'],
    ['$x_1/a', '$x_1', 'a'],
    ['if_w_gt_1/a', 'if_w_gt_1', 'a'],
    ['if_end/a', 'if_end', 'a'],
    ['fn_wasm:x.wasm/a', 'fn_wasm:x.wasm', 'a'],
    ['so_10p/a', 'so_10p', 'a'],
    ['vc_h264/a', 'vc_h264', 'a'],
  ])('is refused if its first folder is a component: %s', (publicId, folder, other) => {
    expect(findPublicIdFault(publicId)).toBe(component(folder, other));
  });

  const forbidden = 'must contain none of ? & # \\ % < > +';
  const segment = 'must have no empty, "." or ".." segment';
  it.each([
    ['', 'must have 1 to 255 characters'],
    ['x'.repeat(256), 'must have 1 to 255 characters'],
    ['a\u0007b', 'must not contain the control or invisible character U+0007'],
    ['a\u202eb', 'must not contain the control or invisible character U+202E'],
    ['a\u200bb', 'must not contain the control or invisible character U+200B'],
    ['\ud800', 'must not contain the control or invisible character U+D800'],
    ['\u{f0000}', 'must not contain the control or invisible character U+F0000'],
    ['100%', forbidden],
    ['a+b', forbidden],
    [' a', 'must not begin or end with white space'],
    ['https://evil.example/x', 'must not begin with `https:`: it is a public id, not a URL'],
    ['data:image/png;base64,AA', 'must not begin with `data:`: it is a public id, not a URL'],
    ['private:logo', 'must not begin with the type `private:`: `delivery_type` sets it'],
    ['a//b', segment],
    ['a/../b', segment],
    ['v2/shoes', 'must have no folder with the form of a version: `v2`'],
    ['shoes/v2/red', 'must have no folder with the form of a version: `v2`'],
    ['image/upload/v9/x', 'must have no folder with the form of a version: `v9`'],
    ['s--AAAAAAAA--/a', 'must have no segment with the form of a signature (`s--…--`)'],
  ])('is refused with its reason: %j', (publicId, fault) => {
    expect(findPublicIdFault(publicId)).toBe(fault);
  });
});

describe('an accepted folder', () => {
  const mapper = new TransformationMapper();
  const overlayId = '3d616b4e-a597-4b23-aa3d-d7de678f0ba6';
  const overlays = new Map([[overlayId, { publicId: 'mark', deliveryType: 'upload' as const }]]);
  const components = acceptedSteps({ overlayIds: [overlayId], uploadedIds: [overlayId] }).map((steps) =>
    mapper.map(steps).components(overlays),
  );

  it('is never one that a step writes', () => {
    fc.assert(
      fc.property(components, (written) => {
        for (const component of written)
          expect([component, readsAsComponent(component)]).toStrictEqual([component, true]);
      }),
      { numRuns: 5_000 },
    );
  });

  it('is never one whose code accepts any of the words in the tables', () => {
    for (const name of EFFECTS.keys())
      expect([name, readsAsComponent(`e_${name}`)]).toStrictEqual([name, true]);
    for (const { name } of FLAGS) expect(readsAsComponent(`fl_${name}`)).toBe(true);
    for (const { code } of PARAMETERS) {
      if (code !== '') expect([code, readsAsComponent(`${code}_1`)]).toStrictEqual([code, true]);
    }
  });

  /** Near components: existing codes, often with words and values of theirs. */
  const code = fc.constantFrom(
    ...PARAMETERS.map((parameter) => parameter.code),
    '$x',
    'if',
    'fn',
    'sp',
    'zz',
  );
  const near = fc
    .array(
      fc.tuple(
        code,
        fc.oneof(
          fc.constantFrom(...EFFECTS.keys(), ...FLAGS.map(({ name }) => name)),
          fc.constantFrom(
            'red',
            'fff',
            'auto',
            'iw_div_2',
            'width',
            'max',
            'fit',
            'jpg',
            '1.0',
            '-5',
            'face',
            'and_m',
          ),
          fc.stringMatching(/^[a-z0-9_.:;!$()-]{0,12}$/),
          fc.string({ unit: 'binary', maxLength: 8 }),
        ),
      ),
      { minLength: 1, maxLength: 3 },
    )
    .map((parameters) => parameters.map(([short, value]) => `${short}_${value}`).join(','));
  const folder = fc.oneof(
    near,
    components.map((written) => written[0] ?? 'w_1'),
    fc.string({ maxLength: 12 }),
  );

  it('never parses as a component, in any spelling of a URL, wherever the version is', () => {
    let taken = 0;
    fc.assert(
      fc.property(fc.array(folder, { minLength: 1, maxLength: 3 }), (folders) => {
        const publicId = [...folders, 'red'].join('/');
        if (findPublicIdFault(publicId) !== null) return;
        taken += 1;
        const segments = publicId.split('/').slice(0, -1);
        for (let moved = 1; moved <= segments.length; moved++) {
          const chain = segments.slice(0, moved);
          expect(() => parseChain(chain)).toThrow();
          expect(() => parseChain(chain.map(encodeURIComponent))).toThrow();
        }
      }),
      { numRuns: 20_000 },
    );
    expect(taken).toBeGreaterThan(500);
  });
});
