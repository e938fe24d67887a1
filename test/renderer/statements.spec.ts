import { readFileSync } from 'node:fs';
import sharp, { type Metadata } from 'sharp';
import { describe, expect, it } from 'vitest';
import { expandNamed, readNamedTransformation } from '../../src/renderer/chain/named-transformations.js';
import { IMPLEMENTED } from '../../src/renderer/image/effects/effect-table.js';
import { isLayerEffect } from '../../src/renderer/image/layers/compose-layer.js';
import type { RenderedImage, RenderRequest } from '../../src/renderer/image/image-renderer.js';
import { EFFECTS } from '../../src/transformations/effects.js';
import {
  BLACK,
  BLUE,
  CLEAR,
  drawn,
  GREEN,
  type Pixel,
  quadrants,
  RED,
  refusal,
  render as renderOf,
  shelf,
  unpack,
  WHITE,
  YELLOW,
} from './drawings.js';

const flat = (width: number, height: number, color: Pixel): Promise<Buffer> =>
  drawn(width, height, () => color)
    .png()
    .toBuffer();

/** 60 × 40, mid gray with a lighter right half, and grain that no encoder compresses away. */
const GRAIN = drawn(60, 40, (x, y) => {
  const gray = (x < 30 ? 80 : 160) + ((x * 7919 + y * 104_729) % 40);
  return [gray, gray, 255 - gray, 255];
});
const frame = (color: Pixel): Buffer => Buffer.from(Array.from({ length: 12 * 8 }, () => color).flat());
const FILM = sharp(Buffer.concat([RED, GREEN, BLUE].map(frame)), {
  raw: { width: 12, height: 24, channels: 4, pageHeight: 8 },
});

const files = shelf({
  'private/photo': await quadrants(80, 60).png().toBuffer(),
  'private/opaque': await quadrants(80, 60).removeAlpha().png().toBuffer(),
  'private/clear': await flat(40, 30, [0, 0, 0, 0]),
  'private/framed': await drawn(40, 30, (x, y) => (x < 3 || y < 3 || x > 36 || y > 26 ? WHITE : RED))
    .png()
    .toBuffer(),
  'private/grain': await GRAIN.png().toBuffer(),
  'private/held': await quadrants(80, 60).withMetadata({ orientation: 6 }).jpeg().toBuffer(),
  'private/noted': await quadrants(80, 60)
    .withExif({ IFD0: { Copyright: 'Pixseal' } })
    .jpeg()
    .toBuffer(),
  'private/shape': await drawn(40, 40, (x, y) => (x >= 10 && x < 30 && y >= 10 && y < 30 ? RED : CLEAR))
    .png()
    .toBuffer(),
  'private/film': await FILM.gif({ delay: [40, 40, 40] }).toBuffer(),
  'upload/film': await FILM.gif({ delay: [40, 40, 40] }).toBuffer(),
  'upload/mark': await flat(10, 10, WHITE),
  'upload/dark': await flat(80, 60, BLACK),
  'upload/light': await flat(80, 60, WHITE),
});

type Check = () => Promise<void>;
/** An original, `photo` by default, and what else a request has. */
type Of = Partial<RenderRequest>;

const render = (chain: string, of: Of = {}): Promise<RenderedImage> =>
  renderOf(files, chain === '' ? [] : chain.split('/'), of);
const metadata = async (chain: string, of: Of = {}): Promise<Metadata> =>
  await sharp((await render(chain, of)).body).metadata();

const size =
  (chain: string, width: number, height: number, of: Of = {}): Check =>
  async () => {
    const image = await render(chain, of);
    expect([image.width, image.height]).toEqual([width, height]);
    expect(await unpack(image.body)).toMatchObject({ width, height });
  };

/** Pixels by their places, `[x, y, color]`. A transparent one has no color. */
const shows =
  (chain: string, places: readonly (readonly [x: number, y: number, color: Pixel])[], of: Of = {}): Check =>
  async () => {
    const { at } = await unpack((await render(chain, of)).body);
    const seen = (x: number, y: number): Pixel => (at(x, y)[3] === 0 ? CLEAR : at(x, y));
    expect(places.map(([x, y]) => [x, y, seen(x, y)])).toEqual(places);
  };

const approximates =
  (chain: string, note: string, of: Of = {}): Check =>
  async () => {
    expect((await render(chain, of)).headers['X-Pixseal-Approximate']).toContain(note);
  };

const refuses =
  (chain: string, named: string, of: Of = {}): Check =>
  async () => {
    expect(await refusal(files, chain.split('/'), of)).toMatch(/^400 /);
    expect(await refusal(files, chain.split('/'), of)).toContain(named);
  };

const delivers =
  (chain: string, contentType: string, of: Of = {}): Check =>
  async () => {
    const { body, contentType: delivered } = await render(chain, of);
    expect(delivered).toBe(contentType);
    const { format } = await sharp(body).metadata();
    expect(`image/${format === 'heif' ? 'avif' : format}`).toBe(contentType);
  };

const all =
  (...checks: readonly Check[]): Check =>
  async () => {
    for (const check of checks) await check();
  };

/** What an effect changes a color to. */
const turns =
  (effect: string, from: Pixel, to: Pixel): Check =>
  async () => {
    const source = await flat(8, 8, from);
    const { at } = await unpack((await renderOf(source, [effect])).body);
    expect(at(4, 4)).toEqual(to);
  };

/** A comparison of an effect's result with the image without it. */
const changes =
  (
    chain: string,
    judge: (after: (x: number, y: number) => Pixel, before: (x: number, y: number) => Pixel) => void,
    of: Of = {},
  ): Check =>
  async () => {
    const [after, before] = [await render(chain, of), await render('', of)];
    judge((await unpack(after.body)).at, (await unpack(before.body)).at);
  };

/** A layer with this gravity. */
const leavesOut = (gravity: string): Check =>
  all(
    shows(`g_${gravity},l_mark`, [
      [38, 28, RED],
      [42, 32, YELLOW],
    ]),
    approximates(`g_${gravity},l_mark`, `g_${gravity} of a layer: left out`),
  );

const GRAIN_OF: Of = { publicId: 'grain' };
const CLEAR_OF: Of = { publicId: 'clear' };
const FRAMED_OF: Of = { publicId: 'framed' };
const SHAPE_OF: Of = { publicId: 'shape' };
const FILM_OF: Of = { publicId: 'film', format: 'gif' };
const JPG: Of = { format: 'jpg' };
const lightness = (at: (x: number, y: number) => Pixel): number => {
  let sum = 0;
  for (let x = 0; x < 60; x += 3) for (let y = 0; y < 40; y += 3) sum += at(x, y)[0];
  return sum;
};

/** The bytes of a JPEG of a quality. */
const bytes = async (quality: string): Promise<number> =>
  (await render(quality, { ...GRAIN_OF, ...JPG })).body.length;
const between =
  (...qualities: readonly string[]): Check =>
  async () => {
    const sizes: number[] = [];
    for (const quality of qualities) sizes.push(await bytes(quality));
    expect(sizes).toEqual([...new Set(sizes)].sort((one, other) => one - other));
  };
const has =
  (chain: string, expected: Partial<Metadata>, of: Of = {}): Check =>
  async () => {
    expect(await metadata(chain, of)).toMatchObject(expected);
  };
/** The tag 259 of a TIFF in little-endian order. */
const compresses =
  (flag: string, compression: number): Check =>
  async () => {
    const { body } = await render(`f_tiff,${flag}`);
    expect(body.toString('latin1', 0, 2)).toBe('II');
    const directory = body.readUInt32LE(4);
    const entries = Array.from(
      { length: body.readUInt16LE(directory) },
      (_, index) => directory + 2 + index * 12,
    );
    const entry = entries.find((at) => body.readUInt16LE(at) === 259) ?? NaN;
    expect(body.readUInt16LE(entry + 8)).toBe(compression);
  };
/** North for what is not detected. */
const fallsNorth = (gravity: string): Check =>
  all(
    shows(`c_crop,g_${gravity},h_10,w_80`, [
      [5, 0, RED],
      [5, 9, RED],
      [75, 5, GREEN],
    ]),
    approximates(`c_crop,g_${gravity},h_10,w_80`, `g_${gravity}: nothing is detected, north`),
  );
const fallsToCenter = (gravity: string): Check =>
  all(
    shows(`c_crop,g_${gravity},h_10,w_80`, [
      [5, 0, RED],
      [5, 9, BLUE],
    ]),
    approximates(`c_crop,g_${gravity},h_10,w_80`, `g_${gravity}: nothing is detected, center`),
  );
const attends = (gravity: string): Check =>
  all(
    size(`c_fill,g_${gravity},h_60,w_30`, 30, 60),
    approximates(`c_fill,g_${gravity},h_60,w_30`, `g_${gravity}: attention`),
    async () => {
      const { headers } = await render(`c_fill,g_${gravity},h_4,w_8`, FILM_OF);
      expect(headers).toEqual({});
    },
  );
const sameBytes =
  (flag: string): Check =>
  async () => {
    const { body } = await render(`fl_${flag}`, { publicId: 'held', format: 'jpg' });
    expect(body).toEqual(await files.find('private', 'held'));
  };
const NAMED = new Map([
  ['thumb', readNamedTransformation('thumb.json', '{"transformation":"c_fill,h_20,w_20/e_negate"}')],
  ['media%20lib', ['a_90']],
]);

/** What a missing effect needs, to be valid otherwise. */
const MISSING_ARGUMENTS: ReadonlyMap<string, string> = new Map([
  ['art', ':zorro'],
  ['assist_colorblind', ':xray'],
  ['extract', ':prompt_cat'],
  ['gen_recolor', ':prompt_cat;to-color_red'],
  ['gen_remove', ':prompt_cat'],
  ['gen_replace', ':from_cat;to_dog'],
  ['theme', ':black'],
]);

/** One check for each statement of docs/renderer.md's tables of parameters, by the parameter as it is written there. */
const STATEMENTS: Readonly<Record<string, Check>> = {
  c_scale: all(size('c_scale,h_30,w_30', 30, 30), shows('c_scale,h_30,w_30', [[5, 5, RED]])),
  c: size('w_40', 40, 30),
  c_fit: size('c_fit,h_30,w_30', 30, 23),
  c_limit: all(size('c_limit,h_300,w_300', 80, 60), size('c_limit,w_40', 40, 30)),
  c_mfit: all(size('c_mfit,h_10,w_10', 80, 60), size('c_mfit,h_120,w_100', 100, 75)),
  c_fill: shows('c_fill,g_east,h_30,w_10', [
    [0, 5, GREEN],
    [9, 25, YELLOW],
  ]),
  c_lfill: size('c_lfill,h_40,w_300', 80, 40),
  c_pad: shows('b_white,c_pad,h_60,w_60', [
    [5, 2, WHITE],
    [5, 15, RED],
    [55, 57, WHITE],
  ]),
  c_lpad: shows('b_white,c_lpad,h_100,w_100', [
    [9, 50, WHITE],
    [10, 20, RED],
    [89, 79, YELLOW],
  ]),
  c_mpad: size('b_white,c_mpad,h_30,w_100', 100, 60),
  c_crop: all(
    shows('c_crop,g_south_west,h_20,w_20', [[5, 5, BLUE]]),
    size('c_crop,h_20,w_20,x_70,y_50', 10, 10),
  ),
  c_thumb: async () => {
    expect((await render('c_thumb,h_20,w_30')).body).toEqual((await render('c_fill,h_20,w_30')).body);
  },
  c_auto: all(size('c_auto,h_20,w_40', 40, 20), approximates('c_auto,h_20,w_40', 'c_auto: by size')),
  c_fill_pad: all(
    shows('b_white,c_fill_pad,g_auto,h_80,w_40', [
      [20, 5, WHITE],
      [20, 75, WHITE],
    ]),
    approximates('b_white,c_fill_pad,g_auto,h_80,w_40', 'c_fill_pad: by size'),
  ),
  c_auto_pad: all(
    shows('b_white,c_auto_pad,g_auto,h_80,w_40', [[20, 5, WHITE]]),
    approximates('b_white,c_auto_pad,g_auto,h_80,w_40', 'c_auto_pad: by size'),
  ),
  c_imagga_crop: refuses('c_imagga_crop,h_9,w_9', 'imagga_crop'),
  c_imagga_scale: refuses('c_imagga_scale,h_9,w_9', 'imagga_scale'),
  w: all(size('w_20', 20, 15), size('w_0.5', 40, 30), size('w_iw_div_4', 20, 15)),
  h: all(size('h_15', 20, 15), size('h_0.5', 40, 30), size('h_ih_div_4', 20, 15)),
  w_auto: size('c_scale,w_auto', 80, 60),
  'w_auto:<step>:<fallback>': size('c_scale,w_auto:100:40', 40, 30),
  'w_auto:…:json': refuses('w_auto:breakpoints:json', 'auto:breakpoints:json'),
  ar: all(
    size('ar_1:1,c_crop,w_20', 20, 20),
    size('ar_1:1,c_crop', 60, 60),
    size('ar_1:1,c_fill', 60, 60),
    size('ar_1:1,c_pad', 80, 80),
  ),
  dpr: all(size('dpr_2.0,w_20', 40, 30), size('dpr_2.0', 160, 120)),
  dpr_auto: size('dpr_auto,w_20', 20, 15),
  z: all(
    approximates('c_thumb,h_20,w_20,z_2', 'z: nothing is detected'),
    refuses('c_crop,z_2', 'Zoom without a size'),
  ),
  fl_ignore_aspect_ratio: size('c_scale,fl_ignore_aspect_ratio,w_20', 20, 60),

  'g_<compass>': all(
    shows('c_crop,g_north_west,h_10,w_10', [[5, 5, RED]]),
    shows('c_crop,g_north_east,h_10,w_10', [[5, 5, GREEN]]),
    shows('c_crop,g_south_west,h_10,w_10', [[5, 5, BLUE]]),
    shows('c_crop,g_south_east,h_10,w_10', [[5, 5, YELLOW]]),
  ),
  g_xy_center: shows('c_crop,g_xy_center,h_10,w_10,x_40,y_30', [
    [0, 0, RED],
    [9, 9, YELLOW],
  ]),
  x: all(
    shows('c_crop,h_10,w_10,x_50', [[5, 5, GREEN]]),
    shows('c_crop,g_east,h_60,w_10,x_0.5', [[5, 5, RED]]),
  ),
  y: all(
    shows('c_crop,h_10,w_10,y_40', [[5, 5, BLUE]]),
    shows('c_crop,g_south_west,h_10,w_10,y_35', [[5, 5, RED]]),
  ),
  g_face: fallsNorth('face'),
  g_faces: fallsNorth('faces'),
  'g_adv_…': all(fallsNorth('adv_face'), fallsNorth('adv_faces'), fallsNorth('adv_eyes')),
  'g_custom:face…': all(fallsNorth('custom:face'), fallsNorth('custom:faces')),
  'g_face:center': fallsToCenter('face:center'),
  'g_faces:center': fallsToCenter('faces:center'),
  g_custom: fallsToCenter('custom'),
  'g_auto…': all(attends('auto'), attends('auto:subject')),
  'g_face:auto': attends('face:auto'),
  'g_faces:auto': attends('faces:auto'),
  'g_<object>': attends('cat'),
  'g_body…': all(attends('body'), attends('body:face')),
  g_ocr_text: attends('ocr_text'),
  g_liquid: refuses('c_fill,g_liquid,h_9,w_9', 'liquid'),
  'g_cld-decompose_tile': refuses('c_fill,g_cld-decompose_tile,h_9,w_9', 'cld-decompose_tile'),
  'g_clipping_path_!…!': refuses('c_fill,g_clipping_path_!front!,h_9,w_9', 'clipping_path_!front!'),

  'a_<degrees>': all(
    size('a_90', 60, 80),
    shows('a_90', [
      [5, 5, BLUE],
      [55, 5, RED],
    ]),
    shows('a_45', [[0, 0, CLEAR]]),
    shows('a_45,b_white', [[0, 0, WHITE]]),
  ),
  a_hflip: shows('a_hflip', [[5, 5, GREEN]]),
  a_vflip: all(shows('a_vflip', [[5, 5, BLUE]]), shows('a_hflip.vflip', [[5, 5, YELLOW]])),
  a_auto_right: all(
    shows('a_auto_right,c_fit,h_40,w_20', [[2, 2, BLUE]]),
    size('a_auto_right,c_fit,h_20,w_40', 27, 20),
  ),
  a_auto_left: shows('a_auto_left,c_fit,h_40,w_20', [[2, 2, GREEN]]),
  a_ignore: size('a_ignore', 80, 60, { publicId: 'held' }),
  a_exif: size('a_exif', 60, 80, { publicId: 'held' }),
  r: all(
    shows('r_10', [
      [0, 0, CLEAR],
      [79, 59, CLEAR],
      [10, 10, RED],
    ]),
    shows('r_0:10', [
      [0, 0, RED],
      [79, 0, CLEAR],
    ]),
    shows('r_max', [
      [5, 5, CLEAR],
      [40, 0, GREEN],
    ]),
  ),
  o: turns('o_50', RED, [255, 0, 0, 128]),
  bo: all(
    size('bo_3px_solid_white', 86, 66),
    shows('bo_3px_solid_white', [
      [0, 0, WHITE],
      [3, 3, RED],
    ]),
  ),
  'b_<colour>': all(
    shows('b_red', [[5, 5, RED]], CLEAR_OF),
    shows('b_rgb:0000ff,c_pad,h_60,w_100', [[2, 2, BLUE]]),
  ),
  b_auto: all(
    shows('b_auto,c_pad,h_60,w_40', [[5, 2, WHITE]], FRAMED_OF),
    approximates('b_auto,c_pad,h_60,w_40', 'b_auto: predominant colour', FRAMED_OF),
  ),
  'b_auto:border': shows('b_auto:border,c_pad,h_60,w_40', [[5, 2, WHITE]], FRAMED_OF),
  'b_auto:predominant': shows('b_auto:predominant,c_pad,h_60,w_40', [[5, 2, RED]], FRAMED_OF),
  'b_auto:…_contrast': shows('b_auto:border_contrast,c_pad,h_60,w_40', [[5, 2, BLACK]], FRAMED_OF),
  'b_auto:…:palette_…': shows(
    'b_auto:predominant:palette_blue_c00000,c_pad,h_60,w_40',
    [[5, 2, [192, 0, 0, 255]]],
    FRAMED_OF,
  ),
  'b_auto:border_gradient': all(
    shows('b_auto:border_gradient,c_pad,h_100,w_80', [
      [0, 0, RED],
      [79, 0, GREEN],
      [0, 99, RED],
      [79, 99, GREEN],
      [0, 50, BLUE],
    ]),
    approximates('b_auto:border_gradient,c_pad,h_100,w_80', 'b_auto:border_gradient: predominant'),
  ),
  'b_auto:predominant_gradient': shows(
    'b_auto:predominant_gradient,c_pad,h_60,w_40',
    [
      [0, 0, RED],
      [39, 0, WHITE],
    ],
    FRAMED_OF,
  ),
  'b_auto:…_gradient_contrast': shows('b_auto:border_gradient_contrast,c_pad,h_100,w_80', [
    [0, 0, WHITE],
    [79, 0, BLACK],
  ]),
  'b_auto:…_gradient:4': shows('b_auto:border_gradient:4,c_pad,h_100,w_80', [
    [0, 0, RED],
    [79, 0, GREEN],
    [0, 99, BLUE],
    [79, 99, YELLOW],
  ]),
  'b_auto:…_gradient:<2 or 4>:<direction>': all(
    shows('b_auto:border_gradient:2:vertical,c_pad,h_100,w_80', [
      [0, 0, RED],
      [79, 0, RED],
      [79, 99, GREEN],
    ]),
    shows('b_auto:border_gradient:2:horizontal,c_pad,h_100,w_80', [[0, 99, RED]]),
    shows('b_auto:border_gradient:2:diagonal_desc,c_pad,h_100,w_80', [
      [0, 0, RED],
      [79, 99, GREEN],
      [79, 0, [128, 128, 0, 255]],
    ]),
    shows('b_auto:border_gradient:2:diagonal_asc,c_pad,h_100,w_80', [
      [0, 99, RED],
      [79, 0, GREEN],
    ]),
    shows('b_auto:border_gradient:4:palette_red_lime_blue_white,c_pad,h_100,w_80', [
      [0, 0, RED],
      [79, 0, GREEN],
      [0, 99, BLUE],
      [79, 99, WHITE],
    ]),
  ),
  b_gen_fill: refuses('b_gen_fill,c_pad,h_90,w_90', 'gen_fill'),
  b_blurred: all(
    async () => {
      const { at } = await unpack((await render('b_blurred,c_pad,h_100,w_80')).body);
      expect(at(0, 0)[3]).toBe(255);
      expect(at(0, 0)[0]).toBeGreaterThan(150);
      expect(at(40, 2)[0]).toBeLessThan(255);
    },
    approximates('b_blurred,c_pad,h_100,w_80', 'b_blurred: Gaussian'),
    refuses('b_blurred,c_fill,h_9,w_9', 'needs a padding crop'),
  ),
  cs_srgb: has('cs_srgb', { space: 'srgb' }),
  cs_sRGB: has('cs_sRGB', { space: 'srgb' }),
  'cs_srgb:truecolor': has('cs_srgb:truecolor', { space: 'srgb' }),
  cs_no_cmyk: has('cs_no_cmyk', { space: 'srgb' }),
  cs_tinysrgb: all(
    has('cs_tinysrgb', { space: 'srgb', hasProfile: false }),
    approximates('cs_tinysrgb', 'cs_tinysrgb: no profile'),
  ),
  cs_cmyk: refuses('cs_cmyk', 'cmyk'),
  cs_keep_cmyk: refuses('cs_keep_cmyk', 'keep_cmyk'),
  cs_copy: refuses('cs_copy', 'copy'),

  e_grayscale: turns('e_grayscale', [100, 10, 200, 255], [43, 43, 43, 255]),
  e_blackwhite: all(
    turns('e_blackwhite', [120, 120, 120, 255], BLACK),
    turns('e_blackwhite:40', [120, 120, 120, 255], WHITE),
  ),
  e_sepia: turns('e_sepia:100', [100, 100, 100, 255], [135, 120, 94, 255]),
  e_negate: turns('e_negate', [10, 20, 200, 255], [245, 235, 55, 255]),
  e_brightness: turns('e_brightness:50', [100, 10, 200, 255], [150, 15, 255, 255]),
  e_brightness_hsb: turns('e_brightness_hsb:100', [80, 20, 200, 255], [102, 26, 255, 255]),
  e_contrast: turns('e_contrast:200:linear', [100, 10, 200, 255], [73, 0, 255, 255]),
  e_saturation: turns('e_saturation:-100', RED, [54, 54, 54, 255]),
  e_hue: turns('e_hue:100', RED, [0, 255, 255, 255]),
  e_gamma: turns('e_gamma:100', [64, 0, 255, 255], [128, 0, 255, 255]),
  e_vibrance: all(turns('e_vibrance:100', RED, RED), async () => {
    const { at } = await unpack(
      (await renderOf(await flat(4, 4, [150, 100, 100, 255]), ['e_vibrance:100'])).body,
    );
    expect(at(1, 1)[0] - at(1, 1)[1]).toBeGreaterThan(70);
  }),
  e_red: turns('e_red:100', [50, 60, 70, 255], [100, 60, 70, 255]),
  e_green: turns('e_green:-100', [50, 60, 70, 255], [50, 0, 70, 255]),
  e_blue: turns('e_blue:-50', [50, 60, 70, 255], [50, 60, 35, 255]),
  e_colorize: all(
    turns('co_red,e_colorize', [9, 99, 199, 255], RED),
    turns('e_colorize:50', [100, 100, 100, 255], [114, 114, 114, 255]),
  ),
  e_tint: turns('e_tint:100:navy:gold', BLACK, [0, 0, 128, 255]),
  e_recolor: turns('e_recolor:0:1:0:1:0:0:0:0:0.5', [10, 20, 30, 255], [20, 10, 15, 255]),
  e_simulate_colorblind: turns('e_simulate_colorblind:rod_monochromacy', RED, [76, 76, 76, 255]),
  e_fill_light: all(
    turns('e_fill_light:0', [40, 40, 40, 255], [40, 40, 40, 255]),
    turns('e_fill_light', [40, 40, 40, 255], [68, 68, 68, 255]),
  ),
  e_blur: changes('e_blur:200', (after) => {
    expect(after(39, 10)[0]).toBeGreaterThan(100);
    expect(after(39, 10)[0]).toBeLessThan(200);
  }),
  e_pixelate: shows('e_pixelate:20', [
    [5, 5, RED],
    [5, 25, [128, 0, 128, 255]],
  ]),
  e_blur_region: all(
    changes('e_blur_region:200,h_20,w_20,x_30,y_20', (after, before) => {
      expect(after(39, 25)).not.toEqual(before(39, 25));
      for (const [x, y] of [
        [29, 30],
        [50, 30],
        [40, 19],
        [40, 40],
      ] as const)
        expect(after(x, y)).toEqual(before(x, y));
    }),
    size('e_blur_region,h_20,w_20,x_30,y_20', 80, 60),
    refuses('c_fill,e_blur_region,h_9,w_9', 'Parameter c is not supported'),
    refuses('e_blur_region,g_ocr_text', 'Parameter g is not supported'),
    approximates('e_blur_region', 'e_blur_region'),
  ),
  e_pixelate_region: all(
    shows('e_pixelate_region:20,h_20,w_0.25,x_30,y_20', [
      [35, 25, [128, 128, 64, 255]],
      [49, 39, [128, 128, 64, 255]],
      [29, 25, RED],
      [50, 25, GREEN],
      [35, 40, BLUE],
    ]),
    // Without a region it is the whole image; one outside of it changes nothing.
    shows('e_pixelate_region:20', [[5, 25, [128, 0, 128, 255]]]),
    shows('e_pixelate_region:20,x_200', [[5, 25, RED]]),
  ),
  e_cartoonify: all(
    changes(
      'e_cartoonify:0:100',
      (after) => {
        const shades = new Set<number>();
        for (let x = 2; x < 58; x += 1) shades.add(Math.max(...after(x, 20).slice(0, 3)));
        expect(shades.size).toBeLessThan(40);
      },
      GRAIN_OF,
    ),
    shows('e_cartoonify:0:bw', [
      [5, 5, BLACK],
      [70, 5, WHITE],
    ]),
    approximates('e_cartoonify', 'e_cartoonify'),
  ),
  e_oil_paint: all(
    changes(
      'e_oil_paint:100',
      (after, before) => {
        const roughness = (at: typeof after): number => {
          let sum = 0;
          for (let x = 2; x < 26; x += 1) sum += Math.abs(at(x, 20)[0] - at(x + 1, 20)[0]);
          return sum;
        };
        expect(roughness(after)).toBeLessThan(roughness(before));
        // The edge between both halves stays.
        expect(after(33, 20)[0] - after(26, 20)[0]).toBeGreaterThan(50);
      },
      GRAIN_OF,
    ),
    size('e_oil_paint', 80, 60),
  ),
  e_sharpen: changes(
    'e_sharpen:400',
    (after, before) => {
      expect(Math.abs(after(20, 20)[0] - 100)).toBeGreaterThanOrEqual(Math.abs(before(20, 20)[0] - 100));
      expect(lightness(after)).not.toBe(lightness(before));
    },
    GRAIN_OF,
  ),
  e_unsharp_mask: changes(
    'e_unsharp_mask:400',
    (after, before) => {
      expect(lightness(after)).not.toBe(lightness(before));
    },
    GRAIN_OF,
  ),
  e_vignette: changes('e_vignette:80', (after) => {
    expect(after(1, 1)[0]).toBeLessThan(150);
    expect(after(39, 29)[0]).toBeGreaterThan(240);
  }),
  e_noise: all(
    changes('e_noise:60', (after, before) => {
      expect(after(50, 50)).not.toEqual(before(50, 50));
    }),
    async () => {
      expect((await render('e_noise:60')).body).toEqual((await render('e_noise:60')).body);
    },
  ),
  e_auto_contrast: changes(
    'e_auto_contrast',
    (after) => {
      const values = Array.from({ length: 60 }, (_, x) => after(x, 20)[0]);
      expect(Math.max(...values) - Math.min(...values)).toBeGreaterThan(180);
    },
    GRAIN_OF,
  ),
  e_auto_color: changes(
    'e_auto_color',
    (after) => {
      const values = Array.from({ length: 60 }, (_, x) => after(x, 20)[2]);
      expect(Math.max(...values) - Math.min(...values)).toBeGreaterThan(200);
    },
    GRAIN_OF,
  ),
  e_auto_brightness: turns('e_auto_brightness', [32, 32, 32, 255], [90, 90, 90, 255]),
  e_improve: changes(
    'e_improve',
    (after, before) => {
      expect(lightness(after)).not.toBe(lightness(before));
    },
    GRAIN_OF,
  ),
  e_trim: all(size('e_trim', 20, 20, SHAPE_OF), size('e_trim', 34, 24, FRAMED_OF)),
  e_shadow: all(
    size('co_blue,e_shadow:0,x_4,y_6', 84, 66),
    shows('co_blue,e_shadow:0,x_4,y_6', [
      [83, 65, BLUE],
      [0, 0, RED],
      [83, 0, CLEAR],
    ]),
  ),
  e_dropshadow: all(
    size('e_dropshadow', 40, 40, SHAPE_OF),
    shows(
      'e_dropshadow:azimuth_270;elevation_45;spread_0',
      [
        [20, 20, RED],
        [31, 20, [0, 0, 0, 153]],
        [9, 20, CLEAR],
        [31, 5, CLEAR],
      ],
      SHAPE_OF,
    ),
    changes(
      'e_dropshadow:azimuth_0',
      (after) => {
        expect(after(20, 32)[3]).toBeGreaterThan(after(20, 7)[3]);
      },
      SHAPE_OF,
    ),
    approximates('e_dropshadow', 'e_dropshadow', SHAPE_OF),
  ),
  e_gradient_fade: all(
    changes('e_gradient_fade', (after) => {
      expect([after(5, 0)[3], after(5, 15)[3], after(5, 31)[3]]).toEqual([4, 132, 255]);
    }),
    changes('e_gradient_fade,x_-0.5', (after) => {
      expect([after(79, 5)[3] < 10, after(39, 5)[3], after(5, 0)[3]]).toEqual([true, 255, 255]);
    }),
    changes('e_gradient_fade:symmetric,x_20', (after) => {
      expect([after(0, 5)[3] < 10, after(40, 5)[3], after(79, 5)[3] < 10]).toEqual([true, 255, true]);
    }),
    // The image fades into its padding; with `symmetric_pad` the padding fades too.
    shows('b_white,c_pad,e_gradient_fade:symmetric,h_100,w_80,y_0.1', [
      [5, 20, [255, 234, 234, 255]],
      [5, 10, WHITE],
      [5, 40, RED],
    ]),
    shows('b_white,c_pad,e_gradient_fade:symmetric_pad,h_100,w_80,y_0.1', [
      [5, 20, RED],
      [5, 10, WHITE],
    ]),
    turns('e_gradient_fade:0', RED, RED),
  ),
  e_distort: all(
    size('e_distort:0:0:40:0:40:60:0:60', 40, 60),
    shows('e_distort:0:0:40:0:40:60:0:60', [
      [5, 5, RED],
      [35, 5, GREEN],
      [5, 55, BLUE],
    ]),
    // Corners are clockwise from the top left.
    shows('e_distort:80:0:0:0:0:60:80:60', [
      [5, 5, GREEN],
      [75, 5, RED],
    ]),
    shows('e_distort:20:0:60:0:80:60:0:60', [
      [2, 2, CLEAR],
      [35, 3, RED],
      [5, 57, BLUE],
    ]),
    changes('e_distort:arc:90', (after) => {
      expect(after(0, 0)).toEqual(CLEAR);
    }),
    refuses('e_distort:0:0:9:0:9:0:0:0', 'quadrilateral'),
  ),
  e_shear: all(
    size('e_shear:45.0:0.0', 140, 60),
    shows('e_shear:45.0:0.0', [
      [70, 2, GREEN],
      [2, 57, CLEAR],
      [135, 57, YELLOW],
      [137, 2, CLEAR],
    ]),
    size('e_shear:0.0:45.0', 80, 140),
    refuses('e_shear:90.0:0.0', 'Maximum image size'),
  ),
  e_outline: all(
    size('e_outline:outer:5', 50, 50, SHAPE_OF),
    shows(
      'co_blue,e_outline:outer:5',
      [
        [12, 25, BLUE],
        [25, 25, RED],
        [3, 3, CLEAR],
      ],
      SHAPE_OF,
    ),
  ),
  e_opacity_threshold: all(
    turns('e_opacity_threshold', [1, 2, 3, 127], [1, 2, 3, 0]),
    turns('e_opacity_threshold', [1, 2, 3, 128], [1, 2, 3, 255]),
  ),
  e_make_transparent: changes(
    'e_make_transparent',
    (after) => {
      expect([after(0, 0)[3], after(20, 15)]).toEqual([0, RED]);
    },
    FRAMED_OF,
  ),
  e_replace_color: changes('e_replace_color:blue:30:red', (after) => {
    expect(after(5, 5)[2]).toBeGreaterThan(after(5, 5)[0]);
    expect(after(70, 5)).toEqual(GREEN);
  }),
  e_loop: has('e_loop:2', { pages: 3, loop: 3 }, FILM_OF),
  e_fade: all(
    changes(
      'e_fade:80',
      (after) => {
        expect(after(2, 2)).toEqual(BLACK);
      },
      FILM_OF,
    ),
    refuses('e_fade', 'Effect not supported for a still image: fade'),
  ),
  e_multiply: all(shows('e_multiply,l_light', [[5, 5, RED]]), shows('e_multiply,l_dark', [[5, 5, BLACK]])),
  e_screen: all(shows('e_screen,l_light', [[5, 5, WHITE]]), shows('e_screen,l_dark', [[5, 5, RED]])),
  e_overlay: all(
    shows('e_overlay,l_light', [[5, 5, RED]]),
    shows('e_overlay,l_dark', [[5, 5, RED]]),
    shows('e_overlay,l_light', [[5, 5, WHITE]], { publicId: 'light', deliveryType: 'upload' }),
  ),
  e_mask: changes('e_mask,l_mark', (after) => {
    expect([after(5, 5)[3], after(39, 29)]).toEqual([0, RED]);
  }),
  e_cut_out: changes('e_cut_out,l_mark', (after) => {
    expect([after(39, 29)[3], after(5, 5)]).toEqual([0, RED]);
  }),
  e_anti_removal: changes('e_anti_removal:100,l_mark', (after) => {
    expect(after(39, 29)).not.toEqual(WHITE);
    expect(after(5, 5)).toEqual(RED);
  }),
  ...Object.fromEntries(
    [...EFFECTS.keys()]
      .filter((name) => !IMPLEMENTED.has(name) && !isLayerEffect(name))
      .map((name): [string, Check] => [
        `e_${name}`,
        refuses(`e_${name}${MISSING_ARGUMENTS.get(name) ?? ''}`, name),
      ]),
  ),
  'e_outline:fill': refuses('e_outline:fill', 'outline:fill'),
  'e_outline:inner_fill': refuses('e_outline:inner_fill', 'outline:inner_fill'),

  'l_…': shows('c_scale,g_north_west,l_mark,w_20', [
    [19, 19, WHITE],
    [20, 20, RED],
  ]),
  'u_…': shows(
    'g_north_west,u_light',
    [
      [5, 5, WHITE],
      [35, 25, WHITE],
    ],
    CLEAR_OF,
  ),
  'l_…/<steps>/fl_layer_apply,…': shows('l_mark/c_scale,w_20/e_negate/fl_layer_apply,g_south_east', [
    [79, 59, BLACK],
    [60, 40, BLACK],
    [59, 39, YELLOW],
  ]),
  fl_layer_apply: refuses('fl_layer_apply', 'layer_apply closes no layer'),
  'l_…,u_…': refuses('l_mark,u_mark', 'An overlay and an underlay'),
  fl_relative: shows('c_scale,fl_relative,g_north_west,l_mark,w_0.5', [
    [39, 39, WHITE],
    [41, 5, GREEN],
  ]),
  fl_region_relative: refuses('fl_region_relative,l_mark,w_0.5', 'region_relative'),
  fl_replace_image: refuses('fl_replace_image,l_mark', 'replace_image'),
  'l_text:<font>_…': approximates('l_text:Brand.ttf_20:Hi', 'text: DejaVu Sans for Brand'),
  'l_…,g_face': leavesOut('face'),
  'l_…,g_faces': leavesOut('faces'),
  'l_…,g_<other detection>': all(
    shows('g_auto,l_mark', [[40, 30, WHITE]]),
    approximates('g_auto,l_mark', 'g_auto of a layer: center'),
  ),
  'l_<animation>': all(
    shows('g_north_west,l_film', [[5, 5, RED]]),
    approximates('l_film', 'l: the first frame of an animation'),
  ),

  '.<extension>': all(
    delivers('', 'image/webp', { format: 'webp' }),
    delivers('', 'image/tiff', { format: 'tif' }),
    delivers('f_png', 'image/png', JPG),
    delivers('f_png/f_webp', 'image/webp', JPG),
  ),
  f_jpg: delivers('f_jpg', 'image/jpeg'),
  f_jpeg: delivers('f_jpeg', 'image/jpeg'),
  f_jpe: delivers('f_jpe', 'image/jpeg'),
  f_png: delivers('f_png', 'image/png', JPG),
  f_webp: delivers('f_webp', 'image/webp'),
  f_avif: delivers('f_avif,w_16', 'image/avif'),
  f_gif: delivers('f_gif', 'image/gif'),
  f_tif: delivers('f_tif', 'image/tiff'),
  f_tiff: delivers('f_tiff', 'image/tiff'),
  f_jxl: sharp.format.jxl.output.buffer
    ? async () => {
        expect((await render('f_jxl')).contentType).toBe('image/jxl');
      }
    : refuses('f_jxl', 'Invalid value jxl for parameter f'),
  'f_<other>': all(
    refuses('f_psd', 'psd'),
    refuses('f_pdf', 'pdf'),
    refuses('w_9', 'bmp', { format: 'bmp' }),
  ),
  f_auto: all(
    delivers('f_auto,w_16', 'image/avif', { accept: 'image/avif,image/webp' }),
    delivers('f_auto', 'image/webp', { accept: 'image/webp,*/*' }),
    delivers('f_auto', 'image/jpeg', { accept: '*/*' }),
    delivers('f_auto', 'image/png', CLEAR_OF),
    approximates('f_auto', 'f_auto: by Accept'),
    async () => {
      expect((await render('f_auto')).varyByAccept).toBe(true);
    },
  ),
  'f_auto:animated': all(
    has('f_auto:animated', { format: 'webp', pages: 3 }, { ...FILM_OF, accept: 'image/webp' }),
    has('f_auto:animated', { format: 'gif', pages: 3 }, FILM_OF),
  ),
  'f_auto:image': async () => {
    const { pages = 1 } = await metadata('f_auto:image', { ...FILM_OF, accept: 'image/webp' });
    expect(pages).toBe(1);
  },
  q_1: between('q_1', 'q_80'),
  q_100: between('q_1', 'q_50', 'q_99', 'q_100'),
  'q_<n>:420': has('q_70:420', { chromaSubsampling: '4:2:0' }, JPG),
  'q_<n>:444': has('q_70:444', { chromaSubsampling: '4:4:4' }, JPG),
  q_auto: all(
    async () => {
      expect(await bytes('q_auto')).toBe(await bytes('fl_progressive,q_80'));
    },
    has('q_auto', { isProgressive: true }, JPG),
    approximates('q_auto', 'q_auto: a fixed quality', JPG),
  ),
  'q_auto:best': between('q_auto', 'q_auto:best'),
  'q_auto:good': async () => {
    expect(await bytes('q_auto:good')).toBe(await bytes('q_auto'));
  },
  'q_auto:eco': between('q_auto:eco', 'q_auto:good'),
  'q_auto:low': between('q_auto:low', 'q_auto:eco'),
  'q_auto:sensitive': has('q_auto:sensitive', { chromaSubsampling: '4:4:4' }, JPG),
  'q_jpegmini…': all(refuses('q_jpegmini', 'jpegmini'), refuses('q_jpegmini:1', 'jpegmini:1')),
  fl_awebp: has('fl_awebp', { format: 'webp', pages: 3 }, { ...FILM_OF, format: 'webp' }),
  fl_animated: has('fl_animated', { format: 'webp', pages: 3 }, { ...FILM_OF, format: 'webp' }),
  ...Object.fromEntries(
    ['apng', 'c2pa', 'clip', 'clip_evenodd', 'ignore_mask_channels', 'any_format', 'keep_attribution'].map(
      (flag): [string, Check] => [`fl_${flag}`, refuses(`fl_${flag}`, `Flag ${flag} is not supported`)],
    ),
  ),
  fl_getinfo: async () => {
    const { body, contentType, headers } = await render('w_40/fl_getinfo', {
      publicId: 'held',
      format: 'jpg',
    });
    expect(contentType).toBe('application/json');
    const original = await files.find('private', 'held');
    const { body: delivered } = await render('w_40', { publicId: 'held', format: 'jpg' });
    expect(JSON.parse(body.toString())).toEqual({
      input: { width: 60, height: 80, bytes: original?.length, format: 'jpg' },
      output: { width: 40, height: 53, bytes: delivered.length, format: 'jpg' },
    });
    expect(headers['X-Pixseal-Approximate']).toContain('fl_getinfo');
    const offered = await render('fl_attachment/fl_getinfo', JPG);
    expect(offered.headers).not.toHaveProperty('Content-Disposition');
  },
  fl_progressive: all(
    has('fl_progressive', { isProgressive: true }, JPG),
    has('fl_progressive', { isProgressive: true }),
    approximates('fl_progressive:semi', 'fl_progressive:semi: standard scans', JPG),
    approximates('fl_progressive:steep', 'fl_progressive:steep: standard scans', JPG),
  ),
  'fl_progressive:none': has('fl_progressive:none,q_auto', { isProgressive: false }, JPG),
  fl_png8: all(
    has('fl_png8', { format: 'png', isPalette: true }),
    approximates('fl_png8', 'fl_png8: a palette'),
  ),
  fl_lossy: all(
    delivers('fl_lossy', 'image/jpeg', { publicId: 'opaque' }),
    delivers('fl_lossy', 'image/png', CLEAR_OF),
    approximates('fl_lossy', 'fl_lossy: between frames only', FILM_OF),
  ),
  fl_png24: all(has('fl_png24', { channels: 3 }, CLEAR_OF), shows('fl_png24', [[5, 5, WHITE]], CLEAR_OF)),
  fl_png32: has('fl_png32', { channels: 4 }, { publicId: 'opaque' }),
  fl_preserve_transparency: all(
    delivers('fl_preserve_transparency', 'image/png', { ...CLEAR_OF, ...JPG }),
    delivers('w_20', 'image/jpeg', { ...CLEAR_OF, ...JPG }),
  ),
  fl_strip_profile: has('fl_strip_profile,w_9', { hasProfile: false }, { publicId: 'noted', ...JPG }),
  fl_force_strip: async () => {
    expect((await metadata('fl_force_strip,w_9', { publicId: 'noted', ...JPG })).exif).toBeUndefined();
  },
  fl_force_icc: has('fl_force_icc', { hasProfile: true }),
  fl_keep_iptc: all(
    async () => {
      const { exif } = await metadata('fl_keep_iptc,w_9', { publicId: 'noted', ...JPG });
      expect(exif?.includes('Pixseal')).toBe(true);
    },
    refuses('fl_keep_iptc', 'Flag keep_iptc is not supported for png'),
  ),
  fl_tiff8_lzw: compresses('fl_tiff8_lzw', 5),
  fl_group4: compresses('fl_group4', 4),
  fl_attachment: async () => {
    const nameOf = async (of: Of): Promise<unknown> =>
      (await render('fl_attachment,w_9', of)).headers['Content-Disposition'];
    expect(await nameOf({ ...JPG, originalFilename: 'rose' })).toBe('attachment; filename="rose.jpg"');
    expect(await nameOf(JPG)).toBe('attachment; filename="photo.jpg"');
  },
  'fl_attachment:<name>': async () => {
    const { headers } = await render('fl_attachment:rose,w_9', JPG);
    expect(headers['Content-Disposition']).toContain('rose.jpg');
  },
  fl_immutable_cache: sameBytes('immutable_cache'),
  fl_original: sameBytes('original'),
  fl_sanitize: sameBytes('sanitize'),
  fl_rasterize: sameBytes('rasterize'),
  d_: all(size('c_scale,d_mark,w_20', 20, 20, { publicId: 'missing' }), async () => {
    const { headers } = await render('d_mark', { publicId: 'missing' });
    expect(headers['X-Cld-Error']).toBe('Resource not found - missing');
  }),
  'pg_<n>': all(
    shows('pg_2', [[5, 5, GREEN]], { publicId: 'film' }),
    refuses('pg_4', 'Page 4 does not exist', { publicId: 'film' }),
  ),
  'pg_<range>': all(refuses('pg_1-2', '1-2'), refuses('pg_1;2', '1;2')),
  'pg_name:…': refuses('pg_name:shadow', 'name:shadow'),
  'pg_embedded:…': refuses('pg_embedded:1', 'embedded:1'),
  dl: has('dl_70', { delay: [70, 70, 70] }, FILM_OF),
  fps: all(
    has('fps_10', { delay: [100, 100, 100] }, FILM_OF),
    has('fps_10-20', { delay: [50, 50, 50] }, FILM_OF),
    has('fps_20-', { delay: [40, 40, 40] }, FILM_OF),
    has('dl_200/fps_10-', { delay: [100, 100, 100] }, FILM_OF),
    approximates('fps_10', 'fps: by the delays', FILM_OF),
  ),
  dn: all(has('dn_150', { density: 150 }, JPG), approximates('dn_150', 'dn: in the header', JPG)),
  't_<name>': all(
    async () => {
      const chain = expandNamed(['w_40', 't_thumb.media%20lib'], NAMED);
      expect(chain).toEqual(['w_40', 'c_fill,h_20,w_20', 'e_negate', 'a_90']);
      await shows(chain.join('/'), [[2, 2, YELLOW]])();
    },
    async () => {
      const unknown = expandNamed(['t_thumb.unknown', 't_thumb,w_9'], NAMED);
      expect(unknown).toEqual(['t_thumb.unknown', 't_thumb,w_9']);
      await refuses(unknown.join('/'), 'Parameter t is not supported in component t_thumb.unknown')();
    },
  ),
  p: refuses('p_icon', 'Parameter p'),
};

/** The parameters in the first column of the tables of parameters, in their order. */
function documented(): string[] {
  const text = readFileSync(new URL('../../docs/renderer.md', import.meta.url), 'utf8');
  const tables = [...text.matchAll(/^\| parameter \|.*\n\| ---.*\n((?:\|.*\n)*)/gm)];
  return tables
    .flatMap(([, rows = '']) => rows.trim().split('\n'))
    .flatMap((row) => {
      const [, parameters = ''] = row.split('|');
      const names = [...parameters.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
      return names.length > 0 ? names : [`no parameter in: ${parameters}`];
    });
}

describe('a statement of docs/renderer.md holds', () => {
  it.each(Object.entries(STATEMENTS))('%s', async (_, check) => {
    expect.hasAssertions();
    await check();
  });
});

describe('the tables of docs/renderer.md', () => {
  it('have one test for each statement, and no statement twice', () => {
    const statements = documented();
    expect(statements.filter((name, at) => statements.indexOf(name) !== at)).toEqual([]);
    expect(Object.keys(STATEMENTS).sort()).toEqual(statements.sort());
  });

  it('describe each effect as the table of effects does', () => {
    const text = readFileSync(new URL('../../docs/renderer.md', import.meta.url), 'utf8');
    for (const [name, { fidelity, rule }] of IMPLEMENTED) {
      expect(text).toContain(`| \`e_${name}\` | ${fidelity} | ${rule} | \`#e_${name}\` |`);
    }
  });
});
