import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { EFFECTS } from '../../src/transformations/effects.js';
import { FLAGS } from '../../src/transformations/flags.js';
import { InvalidTransformationError } from '../../src/transformations/transformation.errors.js';
import { TransformationMapper } from '../../src/transformations/transformation.mapper.js';
import {
  PARAMETER_BY_CODE,
  PARAMETER_BY_KEY,
  PARAMETERS,
  reasonToIgnore,
} from '../../src/transformations/vocabulary.js';
import { LEFT_OUT } from '../docs/left-out.js';

const mapper = new TransformationMapper();
const write = (step: Record<string, unknown>): string => mapper.map([step]).components(new Map()).join('/');

/** Values of one key: accepted ones with their component, including the ends of ranges, and refused ones. */
interface Case {
  readonly key: string;
  readonly accepted: readonly (readonly [value: unknown, component: string])[];
  readonly rejected: readonly unknown[];
}

const side = (code: string): Pick<Case, 'accepted' | 'rejected'> => ({
  accepted: [
    [1, `${code}_1`],
    [65500, `${code}_65500`],
    ['200', `${code}_200`],
    [0.5, `${code}_0.5`],
    [1.5, `${code}_1.5`],
    ['1.0', `${code}_1.0`],
    ['10.0', `${code}_10.0`],
    [9.99, `${code}_9.99`],
    [1 / 3, `${code}_0.3333333333333333`],
    ['iw', `${code}_iw`],
    ['initial_width / 2', `${code}_iw_div_2`],
    ['initialHeight * 0.5', `${code}_ih_mul_0.5`],
    ['iw_sub_10_add_ih', `${code}_iw_sub_10_add_ih`],
  ],
  rejected: [
    ...[
      0,
      -1,
      65501,
      1e9,
      1e21,
      1e-7,
      10.01,
      37.5,
      '37.5',
      '100.0',
      Number.NaN,
      Number.POSITIVE_INFINITY,
      true,
      {},
    ],
    ...[
      '0',
      '007',
      '1e3',
      '0x10',
      ' 1',
      '1 ',
      '1\n',
      '+1',
      '１００',
      '100,l_x',
      '100/l_x',
      '10,e_sepia/l_private:secret',
    ],
    ...[
      '$w',
      '$width_mul_2',
      'tags',
      '!x!',
      'iw/2',
      'iw_div_$x',
      'iw;ih',
      '100%2Cl_x',
      '100%252Cl_x',
      'NaN',
      [200],
    ],
  ],
});

const offset = (code: string): Pick<Case, 'accepted' | 'rejected'> => ({
  accepted: [
    [0, `${code}_0`],
    [-0, `${code}_0`],
    [800, `${code}_800`],
    [-65500, `${code}_-65500`],
    ['-0.15', `${code}_-0.15`],
    ['-10.0', `${code}_-10.0`],
    ['w - 10', `${code}_w_sub_10`],
  ],
  rejected: [65501, -65501, 10.01, -12.5, '10.1', '10,y_1', {}, '1e2', '--1', false],
});

const CASES: readonly Case[] = [
  { key: 'width', ...side('w') },
  {
    key: 'width',
    accepted: [
      ['auto', 'w_auto'],
      ['auto:100:400', 'w_auto:100:400'],
      ['auto:breakpoints_200_1920_30_15', 'w_auto:breakpoints_200_1920_30_15'],
    ],
    rejected: ['auto:', 'auto:x', 'automatic', 'auto:breakpoints:../x'],
  },
  { key: 'height', ...side('h') },
  {
    key: 'size',
    accepted: [
      ['10x20', 'h_20,w_10'],
      ['65500x1', 'h_1,w_65500'],
    ],
    rejected: ['10', '10x', 'x10', '0x10', '10x0', '10x65501', '10x20x30', '10X20', '10x20,l_x', 10, {}],
  },
  {
    key: 'crop',
    accepted: [
      ['fit', 'c_fit'],
      ['fill_pad', 'c_fill_pad'],
      ['imagga_scale', 'c_imagga_scale'],
    ],
    rejected: [
      'fill/l_x',
      'fill,l_x',
      'fill，l_x',
      'fill%2Cl_x',
      'fill%252Cl_x',
      'Fit',
      'fit ',
      'fit\n',
      1,
      {},
    ],
  },
  {
    key: 'gravity',
    accepted: [
      ['south', 'g_south'],
      ['xy_center', 'g_xy_center'],
      ['face:center', 'g_face:center'],
      ['custom:adv_faces', 'g_custom:adv_faces'],
      ['ocr_text', 'g_ocr_text'],
      ['cat', 'g_cat'],
      ['diningtable', 'g_diningtable'],
      ['cat:dog', 'g_cat:dog'],
      ['dog:auto', 'g_dog:auto'],
      ['cat:dog:auto:microwave_30:bicycle_avoid', 'g_cat:dog:auto:microwave_30:bicycle_avoid'],
      ['auto', 'g_auto'],
      ['auto:subject', 'g_auto:subject'],
      ['auto:dog:cat_avoid', 'g_auto:dog:cat_avoid'],
      ['auto:aoi_420_230_330_160', 'g_auto:aoi_420_230_330_160'],
      ['clipping_path_!front!', 'g_clipping_path_!front!'],
    ],
    rejected: [
      'norht',
      'cat:',
      'cat:unicorn',
      'cat:auto:',
      'north:cat',
      `cat${':dog'.repeat(6)}`,
      'auto:',
      'auto:Face',
      'auto:a/b',
      'south,l_x',
      'face:',
      'clipping_path_!a,b!',
      '$g',
      1,
      {},
    ],
  },
  { key: 'x', ...offset('x') },
  { key: 'y', ...offset('y') },
  {
    key: 'aspect_ratio',
    accepted: [
      ['16:9', 'ar_16:9'],
      ['1.91:1', 'ar_1.91:1'],
      [1.5, 'ar_1.5'],
      [1, 'ar_1'],
      ['initial_aspect_ratio', 'ar_iar'],
    ],
    rejected: [0, -1, '0:1', '1:0', '16:', '16:9:4', '16/9', '16:9,w_1', {}],
  },
  {
    key: 'zoom',
    accepted: [
      [0.75, 'z_0.75'],
      [1, 'z_1'],
      [100, 'z_100'],
    ],
    rejected: [0, -1, 101, '0.001', 'big'],
  },
  {
    key: 'angle',
    accepted: [
      [90, 'a_90'],
      [0, 'a_0'],
      [-360, 'a_-360'],
      ['auto_right', 'a_auto_right'],
      ['hflip.45', 'a_hflip.45'],
      [['vflip', 20], 'a_vflip.20'],
    ],
    rejected: [361, -361, 45.5, 'left', ['vflip', ''], 'vflip.', 'vflip,a_1', [[90]], {}],
  },
  {
    key: 'radius',
    accepted: [
      [0, 'r_0'],
      [20, 'r_20'],
      ['max', 'r_max'],
      ['20:0:40:60', 'r_20:0:40:60'],
      [[20, 0, 'iw / 4'], 'r_20:0:iw_div_4'],
    ],
    rejected: [-1, 'min', '1:2:3:4:5', [1, 2, 3, 4, 5], '20:initial_width', '20:', 'max:0', {}],
  },
  {
    key: 'opacity',
    accepted: [
      [0, 'o_0'],
      ['100', 'o_100'],
    ],
    rejected: [101, -1, 0.5, '50%'],
  },
  {
    key: 'effect',
    accepted: [
      ['style_transfer', 'e_style_transfer'],
      ['style_transfer:preserve_color:100', 'e_style_transfer:preserve_color:100'],
      [{ style_transfer: 1 }, 'e_style_transfer:1'],
      ['sepia', 'e_sepia'],
      ['sepia:1', 'e_sepia:1'],
      [['hue', -100], 'e_hue:-100'],
      [{ sepia: 30 }, 'e_sepia:30'],
      ['improve:indoor:50', 'e_improve:indoor:50'],
      ['improve:50', 'e_improve:50'],
      ['cartoonify:20:bw', 'e_cartoonify:20:bw'],
      ['art:al_dente', 'e_art:al_dente'],
      ['contrast:level_150;type_linear', 'e_contrast:level_150;type_linear'],
      ['dropshadow:azimuth_220;elevation_40;spread_20', 'e_dropshadow:azimuth_220;elevation_40;spread_20'],
      ['tint:equalize:80:blue:30p:0f0', 'e_tint:equalize:80:blue:30p:0f0'],
      ['distort:arc:-180.0', 'e_distort:arc:-180.0'],
      ['distort:150:340:1500:10:1500:1550:50:1000', 'e_distort:150:340:1500:10:1500:1550:50:1000'],
      ['vectorize:colors:15:detail:0.5', 'e_vectorize:colors:15:detail:0.5'],
      ['theme:color_black:photosensitivity_110', 'e_theme:color_black:photosensitivity_110'],
      ['replace_color:silver:55:89b8ed', 'e_replace_color:silver:55:89b8ed'],
      ['bgremoval:rgb:ffff00', 'e_bgremoval:rgb:ffff00'],
      [
        'gen_remove:prompt_(keyboard;phone);multiple_true',
        'e_gen_remove:prompt_(keyboard;phone);multiple_true',
      ],
      [
        'gen_remove:region_((x_1;y_2;w_3;h_4);(x_5;y_6;w_7;h_8))',
        'e_gen_remove:region_((x_1;y_2;w_3;h_4);(x_5;y_6;w_7;h_8))',
      ],
      ['gen_replace:from_the%20picture;to_a%20mirror', 'e_gen_replace:from_the%20picture;to_a%20mirror'],
      ['zoompan:from_(zoom_2;x_300);to_(zoom_4);du_8', 'e_zoompan:from_(zoom_2;x_300);to_(zoom_4);du_8'],
    ],
    rejected: [
      ...[
        'sepia:0',
        'sepia:101',
        'sepia:1:2',
        'sepia:',
        'sepia:x',
        'sepia ',
        'Sepia',
        'nonsense',
        'grayscale:1',
      ],
      ...[
        'art',
        'art:Athena',
        'shear:1',
        'shear:360:0',
        'replace_color',
        'replace_color:50',
        'contrast:level_150',
        'contrast:level_201;type_linear',
        'distort:arc:0',
      ],
      ...[
        'contrast:level_1;level_2',
        'gen_replace:from_a',
        'gen_remove:prompt_a b',
        'gen_remove:prompt_a%2Cb',
      ],
      ...[
        'gen_remove:prompt_the%20width',
        'tint:50:tags',
        'sepia,l_x',
        'sepia/l_x',
        'sepia:$x',
        'sepia:50%2Cl_x',
      ],
      ...['style_transfer:0', 'style_transfer:101', 'style_transfer:40:preserve_color'],
      // These refer to another asset by name, or apply to video.
      ...['swap_image:image_!docs:raindrops!', 'swap_image:image_logo', 'volume:50', 'accelerate'],
      ...[5, true, [['sepia']], {}, { sepia: 30, hue: 40 }, { sepia: { a: 1 } }, ['sepia', '50,l_x']],
    ],
  },
  {
    key: 'border',
    accepted: [
      ['4px_solid_black', 'bo_4px_solid_black'],
      ['5px_solid_rgb:FEB61FC2', 'bo_5px_solid_rgb:FEB61FC2'],
      [{ width: 4, color: '#00390b60' }, 'bo_4px_solid_rgb:00390b60'],
      [{ width: '4' }, 'bo_4px_solid_black'],
      [{}, 'bo_2px_solid_black'],
      // The SDK's own default, as if they were absent.
      [{ width: null, color: null }, 'bo_2px_solid_black'],
    ],
    rejected: [
      4,
      '4',
      '4px_dashed_red',
      '4px_solid_nocolor',
      '0px_solid_red',
      '4px_solid_#fff',
      '4px solid red',
      '4px_solid_red/l_x',
      { width: 0 },
      { color: 'a,b' },
      { style: 'dashed' },
      { style: null },
      { width: '' },
    ],
  },
  {
    key: 'background',
    accepted: [
      ['red', 'b_red'],
      ['#fff', 'b_rgb:fff'],
      ['rgb:FEB61FC2', 'b_rgb:FEB61FC2'],
      ['auto:predominant_gradient:2:diagonal_desc', 'b_auto:predominant_gradient:2:diagonal_desc'],
      ['blurred:400:15', 'b_blurred:400:15'],
      ['blurred:2000:-300', 'b_blurred:2000:-300'],
      ['gen_fill', 'b_gen_fill'],
      ['gen_fill:seed_3', 'b_gen_fill:seed_3'],
      ['gen_fill:ignore-foreground_true', 'b_gen_fill:ignore-foreground_true'],
      ['gen_fill:prompt_mug of coffee', 'b_gen_fill:prompt_mug%20of%20coffee'],
      [
        'gen_fill:prompt_no.%205;ignore-foreground_false;seed_999999999',
        'b_gen_fill:prompt_no.%205;ignore-foreground_false;seed_999999999',
      ],
      ['gen_fill:seed_1;prompt_mug', 'b_gen_fill:seed_1;prompt_mug'],
    ],
    rejected: [
      'gen_fill:',
      'gen_fill:prompt_',
      'gen_fill:prompt_a;prompt_b',
      'gen_fill:seed_1;prompt_a;seed_2',
      'gen_fill:ignore-foreground_yes',
      'gen_fill:prompt_a;',
      'gen_fill:prompt_a,b',
      'gen_fill:prompt_a/b',
      'gen_fill:prompt_a%2Fb',
      'gen_fill:prompt_a%252Cb',
      'gen_fill:prompt_$a',
      'gen_fill;seed_1',
      `gen_fill:prompt_${'a'.repeat(152)}`,
      '#ggg',
      '#12345',
      '##fff',
      'rgb:',
      'red,l_x',
      'a/b',
      'blurred:0',
      'blurred:2001',
      'auto:predominant:palette_red_nocolor',
      'auto:predominant:palette_',
      'blurred:1:-301',
      'auto:x',
      0,
      {},
    ],
  },
  {
    key: 'color',
    accepted: [
      ['SaddleBrown', 'co_SaddleBrown'],
      ['#1a8502', 'co_rgb:1a8502'],
    ],
    rejected: ['auto', 'notacolor', 'red red', '#', 'rgb:12', '$color'],
  },
  {
    key: 'color_space',
    accepted: [
      ['srgb', 'cs_srgb'],
      ['keep_cmyk', 'cs_keep_cmyk'],
    ],
    rejected: ['icc:profile.icc', 'cs_icc:profile.icc', 'rgb'],
  },
  {
    key: 'quality',
    accepted: [
      [1, 'q_1'],
      [100, 'q_100'],
      ['auto', 'q_auto'],
      ['auto:best', 'q_auto:best'],
      ['auto:low:sensitive', 'q_auto:low:sensitive'],
      ['auto:low:444', 'q_auto:low:444'],
      ['auto:best:420', 'q_auto:best:420'],
      ['60:420', 'q_60:420'],
      ['jpegmini:1', 'q_jpegmini:1'],
    ],
    rejected: [
      0,
      101,
      0.5,
      'auto:worst',
      'auto:low:421',
      'auto:444',
      'auto:low:sensitive:444',
      '60:421',
      '0:420',
      'auto,l_x',
      {},
    ],
  },
  {
    key: 'fetch_format',
    accepted: [
      ['auto', 'f_auto'],
      ['avif', 'f_avif'],
      ['eps3', 'f_eps3'],
    ],
    rejected: ['exe', 'mp4', 'glb', 'arw', 'JPG', 'jpg/l_x', 'auto:video', 1],
  },
  {
    key: 'dpr',
    accepted: [
      [2, 'dpr_2'],
      ['2.0', 'dpr_2.0'],
      [1.5, 'dpr_1.5'],
      ['auto', 'dpr_auto'],
    ],
    rejected: [0, 11, -1, 'automatic'],
  },
  {
    key: 'density',
    accepted: [
      [72, 'dn_72'],
      ['idn', 'dn_idn'],
    ],
    rejected: [0, 10001, 1.5],
  },
  {
    key: 'page',
    accepted: [
      [2, 'pg_2'],
      ['2-5;7;10-', 'pg_2-5;7;10-'],
      ['name:record_cover;Shadow', 'pg_name:record_cover;Shadow'],
      ['embedded:name:skyline-3242040_1920', 'pg_embedded:name:skyline-3242040_1920'],
      ['embedded:8;5', 'pg_embedded:8;5'],
      ['embedded:name:skyline.jpg;bg.jpg', 'pg_embedded:name:skyline.jpg;bg.jpg'],
      ['name:my layer', 'pg_name:my%20layer'],
    ],
    rejected: [
      0,
      '0',
      '00',
      '0-3',
      '2;0',
      -1,
      1.5,
      '2,3',
      'name:',
      'name:a/b',
      'name:a%2Fb',
      'name:.',
      'embedded:x',
      'embedded:1;',
      [1],
    ],
  },
  { key: 'delay', accepted: [[200, 'dl_200']], rejected: [0, -1, 1.5, 'fast'] },
  {
    key: 'fps',
    accepted: [
      [8, 'fps_8'],
      ['1-5', 'fps_1-5'],
      [[1, 5], 'fps_1-5'],
      ['20-', 'fps_20-'],
      ['240-', 'fps_240-'],
    ],
    rejected: [0, 241, '0-', '241-', '-5', '1--', '1-2-3'],
  },
  { key: 'prefix', accepted: [['icon_', 'p_icon_']], rejected: ['a.b', 'a,b', 1, '../x'] },
  {
    key: 'transformation',
    accepted: [
      ['passport_photo', 't_passport_photo'],
      ['a.b', 't_a.b'],
      [['a', 'media_lib-thumb'], 't_a.media_lib-thumb'],
      ['media lib thumb', 't_media%20lib%20thumb'],
      ['media%20lib%20thumb', 't_media%20lib%20thumb'],
      [['media lib', 'b'], 't_media%20lib.b'],
      ['media lib.b c', 't_media%20lib.b%20c'],
    ],
    rejected: [
      'a,b',
      'a/b',
      'a..b',
      {},
      { width: 100 },
      [{ width: 100 }],
      ['a', { raw_transformation: 'l_x' }],
      5,
    ],
  },
  {
    key: 'flags',
    accepted: [
      ['progressive', 'fl_progressive'],
      ['progressive:steep', 'fl_progressive:steep'],
      ['attachment:pretty_flower', 'fl_attachment:pretty_flower'],
      ['attachment:my file', 'fl_attachment:my%20file'],
      ['attachment:my%20file!', 'fl_attachment:my%20file!'],
      ['attachment:photo%2Ev2.lossy', 'fl_attachment:photo%2Ev2.lossy'],
      ['attachment:Größe (2)', 'fl_attachment:Gr%C3%B6%C3%9Fe%20%282%29'],
      ['attachment:gr%c3%b6%c3%9fe', 'fl_attachment:gr%C3%B6%C3%9Fe'],
      ['attachment:写真', 'fl_attachment:%E5%86%99%E7%9C%9F'],
      [`attachment:${'写'.repeat(100)}`, `fl_attachment:${'%E5%86%99'.repeat(100)}`],
      [['lossy', 'png8'], 'fl_lossy.png8'],
      ['lossy.layer_apply', 'fl_lossy.layer_apply'],
      [['lossy', 'tiled', 'clip.cutter'], 'fl_lossy.clip'],
      ['tiled', ''],
    ],
    rejected: [
      'lossy,l_x',
      'lossy/l_x',
      'nope',
      'lossy.',
      'lossy lossy',
      'splice',
      'progressive:fast',
      'attachment:a.b',
      'attachment:',
      'attachment:a/b',
      'attachment:a%2Fb',
      'attachment:a%252Fb',
      'attachment:a%2Cb',
      'attachment:a,b',
      'attachment:a:b',
      'attachment:a%5Cb',
      'attachment:%2E%2E',
      'attachment:a%00b',
      'attachment:a%0D%0Ab',
      'attachment:a%22b',
      'attachment:%E2%80%AEgpj',
      'attachment:%C3',
      'attachment:%',
      'attachment:$(a)',
      `attachment:${'a'.repeat(101)}`,
      [['lossy']],
      {},
      1,
      ['lossy', null],
    ],
  },
  {
    key: 'overlay',
    accepted: [['text:sample_text_style:Stylish%20text', 'l_text:sample_text_style:Stylish%20text']],
    rejected: [
      ...[
        'fetch:aHR0cDovL2V4YW1wbGUub3JnL2EuanBn',
        'fetch:https://example.org/a.jpg',
        'image:fetch:https://example.org/',
      ],
      ...[
        'video:dog',
        'authenticated:x',
        'private:secret',
        'upload:x',
        'logo',
        'folder/logo',
        'subtitles:a.srt',
        'lut:a.3dl',
      ],
      ...[
        'https://example.org/a.jpg',
        '3d616b4e-a597-4b23-aa3d-d7de678f0ba',
        '{3d616b4e-a597-4b23-aa3d-d7de678f0ba6}',
      ],
      ...[
        '3d616b4e-a597-4b23-aa3d-d7de678f0ba6 ',
        '3d616b4e-a597-4b23-aa3d-d7de678f0ba6,l_x',
        '',
        null,
        1,
        true,
        [],
        {},
      ],
      { public_id: '3d616b4e-a597-4b23-aa3d-d7de678f0ba6' },
      { url: 'https://example.org/a.jpg' },
      { public_id: 'secret', type: 'private' },
      { resource_type: 'video', public_id: 'dog' },
    ],
  },
  {
    key: 'underlay',
    accepted: [['text:Arial_40:Hi', 'u_text:Arial_40:Hi']],
    rejected: ['fetch:aHR0cDovLw', 'video:dog', 'logo', 'authenticated:x', null, {}],
  },
  { key: 'default_image', accepted: [], rejected: ['avatar.png', 'text:Arial_40:Hi', {}, 1] },
];

describe('the vocabulary', () => {
  describe.each(CASES)('$key', ({ key, accepted, rejected }) => {
    it.each(accepted.map(([value, component]) => ({ value, component })))(
      'writes $value as $component',
      ({ value, component }) => {
        expect(write({ [key]: value })).toBe(component);
      },
    );

    it.each(rejected.map((value) => ({ value })))('refuses $value', ({ value }) => {
      expect(() => write({ crop: 'fit', [key]: value })).toThrow(InvalidTransformationError);
    });
  });

  it.each(LEFT_OUT.flatMap(({ why, steps }) => steps.map((step) => ({ step, why }))))(
    'leaves out $step: $why',
    ({ step }) => {
      expect(() => write(step)).toThrow(InvalidTransformationError);
    },
  );

  it('reads the string `40.0` as 40 where fractions are not allowed', () => {
    const step = { opacity: '40.0', quality: '80.0', angle: ['45.0'], width: '1.0' };
    expect(write(step)).toBe('a_45,o_40,q_80,w_1.0');
    expect(() => write({ width: '100.5' })).toThrow(InvalidTransformationError);
    expect(() => write({ opacity: '40.5' })).toThrow(InvalidTransformationError);
  });

  it.each(
    PARAMETERS.filter(({ kind }) => kind !== 'layer').flatMap(({ key }) =>
      [null, '', [], [''], [null]].map((value) => ({ key, value })),
    ),
  )('treats $value of `$key` as absent, and lists it', ({ key, value }) => {
    const [step] = mapper.map([{ zoom: 2, prefix: 'p', [key]: value }]).steps;
    const without = { zoom: 2, prefix: 'p' } as Record<string, unknown>;
    Reflect.deleteProperty(without, key);
    expect(step?.component(new Map())).toBe(write(without));
    expect(step?.ignored).toEqual([{ key, reason: 'no value' }]);
  });

  it.each(
    ['overlay', 'underlay'].flatMap((key) =>
      [null, '', [], [''], [null], {}].map((value) => ({ key, value })),
    ),
  )('never treats $value of `$key` as absent', ({ key, value }) => {
    expect(() => write({ width: 5, [key]: value })).toThrow(InvalidTransformationError);
  });

  it.each(
    PARAMETERS.filter(({ key }) => key !== 'border').flatMap(({ key }) =>
      [{}, ' ', '\t', [[]], [null, null], ['', ''], false].map((value) => ({ key, value })),
    ),
  )('refuses $value of `$key`, which is not an absent value', ({ key, value }) => {
    expect(() => write({ [key]: value })).toThrow(InvalidTransformationError);
  });

  it('uses width and height if `size` has no value, and reports no override', () => {
    const [step] = mapper.map([{ width: 5, height: null, size: '' }]).steps;
    expect(step?.component(new Map())).toBe('w_5');
    expect(step?.ignored).toEqual([
      { key: 'height', reason: 'no value' },
      { key: 'size', reason: 'no value' },
    ]);
    const [sized] = mapper.map([{ width: null, height: 5, size: '10x20' }]).steps;
    expect(sized?.component(new Map())).toBe('h_20,w_10');
    expect(sized?.ignored).toEqual([
      { key: 'width', reason: 'no value' },
      { key: 'height', reason: 'overridden by `size`' },
    ]);
  });

  it('has a case above for every parameter', () => {
    expect([...new Set(CASES.map(({ key }) => key))].sort()).toEqual([...PARAMETER_BY_KEY.keys()].sort());
  });

  it('knows every parameter that the installed SDK writes, or reports why it is ignored', () => {
    const { TRANSFORMATION_PARAMS } = createRequire(import.meta.url)('cloudinary/lib/utils/consts.js') as {
      TRANSFORMATION_PARAMS: readonly string[];
    };
    expect(TRANSFORMATION_PARAMS.length).toBeGreaterThan(40);
    expect(
      TRANSFORMATION_PARAMS.filter(
        (key) => !PARAMETER_BY_KEY.has(key) && reasonToIgnore(key) === 'unknown parameter',
      ),
    ).toEqual([]);
  });

  it('has one key and one code per parameter, and a source for each', () => {
    expect(PARAMETER_BY_KEY.size).toBe(PARAMETERS.length);
    expect(PARAMETER_BY_CODE.size).toBe(PARAMETERS.filter(({ code }) => code !== '').length);
    for (const { key, source, allowed } of PARAMETERS) {
      expect({ key, source, allowed }).toEqual({
        key,
        source: expect.stringMatching(
          /^https:\/\/cloudinary\.com\/documentation\/|node_modules\/cloudinary/,
        ) as string,
        allowed: expect.stringMatching(/./) as string,
      });
    }
  });

  it.each([...EFFECTS.keys()])('refuses `%s` with a value that no argument of it allows', (name) => {
    expect(() => write({ effect: `${name}:~` })).toThrow(InvalidTransformationError);
  });

  it.each(FLAGS.filter(({ scope }) => scope === 'layer'))(
    'drops `$name` from a step without a layer, and reports it',
    ({ name }) => {
      const [step] = mapper.map([{ width: 1, flags: [name, 'lossy'] }]).steps;
      expect(step?.component(new Map())).toBe('fl_lossy,w_1');
      expect(step?.ignored).toEqual([
        { key: 'flags', reason: `\`${name}\` acts only on a layer, and this step has none` },
      ]);
    },
  );

  it.each(FLAGS.filter(({ scope }) => scope === 'picture'))(
    'keeps `$name` on a step without a layer',
    ({ name }) => {
      expect(write({ flags: name })).toBe(`fl_${name}`);
    },
  );
});
