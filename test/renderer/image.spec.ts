import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, it, vi } from 'vitest';
import { ImageRenderer, type RenderRequest } from '../../src/renderer/image/image-renderer.js';
import { DEFAULT_LIMITS, RenderWork } from '../../src/renderer/image/limits.js';
import { turn, turnedSize } from '../../src/renderer/image/rotate.js';
import { RenderError } from '../../src/renderer/image/render.errors.js';
import { type LayerAsset, TransformationMapper } from '../../src/transformations/transformation.mapper.js';
import { acceptedSteps } from '../support/steps.arbitrary.js';
import {
  BLACK,
  BLUE,
  CLEAR,
  drawn,
  GREEN,
  type Pixel,
  pixelsOf,
  quadrants,
  RED,
  refusal,
  render,
  shelf,
  unpack,
  WHITE,
  YELLOW,
} from './drawings.js';

const photo = await quadrants(80, 60).png().toBuffer();
/** A dark, unsaturated field with one bright red spot at (70, 10). */
const spot = await drawn(80, 60, (x, y) => (Math.hypot(x - 70, y - 10) < 6 ? RED : [40, 40, 40, 255]))
  .png()
  .toBuffer();
/** An opaque green disc of 20 pixels on nothing. */
const disc = await drawn(20, 20, (x, y) => (Math.hypot(x - 9.5, y - 9.5) < 9 ? GREEN : CLEAR))
  .png()
  .toBuffer();
const avatar = await drawn(30, 20, () => BLUE)
  .png()
  .toBuffer();
const files = shelf({
  'private/photo': photo,
  'private/marks/disc': disc,
  'upload/red': await drawn(10, 10, () => RED)
    .png()
    .toBuffer(),
  'upload/avatar': avatar,
});

/** The pixels at the four corners and in the middle, each a little inside. */
async function corners(...chain: string[]): Promise<Pixel[]> {
  const { width, height, at } = await pixelsOf(files, ...chain);
  return [at(1, 1), at(width - 2, 1), at(1, height - 2), at(width - 2, height - 2)];
}

describe('a crop', () => {
  it.each([
    ['north_west', RED],
    ['north_east', GREEN],
    ['south_west', BLUE],
    ['south_east', YELLOW],
  ])('keeps the quadrant that %s names', async (gravity, color) => {
    const { at } = await pixelsOf(files, `c_crop,g_${gravity},h_20,w_30`);
    expect([at(0, 0), at(29, 19)]).toEqual([color, color]);
  });

  it('keeps the middle without gravity', async () => {
    expect(await corners('c_crop,h_20,w_20')).toEqual([RED, GREEN, BLUE, YELLOW]);
  });

  it.each([
    ['north', [RED, GREEN, RED, GREEN]],
    ['south', [BLUE, YELLOW, BLUE, YELLOW]],
    ['west', [RED, RED, BLUE, BLUE]],
    ['east', [GREEN, GREEN, YELLOW, YELLOW]],
  ])('keeps the side that %s names', async (gravity, expected) => {
    expect(await corners(`c_crop,g_${gravity},h_20,w_20`)).toEqual(expected);
  });

  it('cuts fixed coordinates from the top left corner', async () => {
    const { at } = await pixelsOf(files, 'c_crop,h_4,w_4,x_38,y_28');
    expect([at(0, 0), at(2, 0), at(0, 2), at(2, 2)]).toEqual([RED, GREEN, BLUE, YELLOW]);
  });

  it('moves inwards from the edge of its gravity', async () => {
    const { at } = await pixelsOf(files, 'c_crop,g_south_east,h_4,w_4,x_38,y_28');
    expect([at(0, 0), at(2, 0), at(0, 2), at(2, 2)]).toEqual([RED, GREEN, BLUE, YELLOW]);
  });

  it('centers on a point by xy_center, scaled with a fill', async () => {
    const { at } = await pixelsOf(files, 'c_crop,g_xy_center,h_4,w_4,x_40,y_30');
    expect([at(0, 0), at(3, 0), at(0, 3), at(3, 3)]).toEqual([RED, GREEN, BLUE, YELLOW]);
    expect(await corners('c_fill,g_xy_center,h_30,w_20,x_70,y_30')).toEqual([GREEN, GREEN, YELLOW, YELLOW]);
  });

  it('fills with a window that is offset by shares of what is scaled', async () => {
    // Scaled to 40 × 30, a tenth of which is 4 pixels: the window starts at 4 of 40.
    const { at } = await pixelsOf(files, 'c_fill,g_west,h_30,w_30,x_0.1');
    expect([at(12, 5), at(19, 5)]).toEqual([RED, GREEN]);
  });

  it('fills with the side that its gravity names', async () => {
    expect(await corners('c_fill,g_west,h_30,w_10')).toEqual([RED, RED, BLUE, BLUE]);
    expect(await corners('c_fill,g_east,h_30,w_10')).toEqual([GREEN, GREEN, YELLOW, YELLOW]);
  });

  it('follows what strikes the eye with g_auto, and says that it is an approximation', async () => {
    const { body, headers } = await render(spot, ['c_crop,g_auto,h_20,w_20']);
    const { at } = await unpack(body);
    const reds = Array.from({ length: 400 }, (_, index) => at(index % 20, Math.floor(index / 20))[0]);
    expect(Math.max(...reds)).toBe(255);
    expect(headers['X-Pixseal-Approximate']).toBe('g_auto: attention');
  });

  it.each([
    ['face', [RED, GREEN, RED, GREEN], 'north'],
    ['faces', [RED, GREEN, RED, GREEN], 'north'],
    ['face:center', [RED, GREEN, BLUE, YELLOW], 'center'],
    ['custom', [RED, GREEN, BLUE, YELLOW], 'center'],
    ['custom:face', [RED, GREEN, RED, GREEN], 'north'],
  ])('places g_%s where Cloudinary does without a detection', async (gravity, expected, where) => {
    const chain = `c_crop,g_${gravity},h_20,w_20`;
    expect(await corners(chain)).toEqual(expected);
    expect((await render(files, [chain])).headers['X-Pixseal-Approximate']).toBe(
      `g_${gravity}: nothing is detected, ${where}`,
    );
  });

  it('zooms a thumb into the middle of what fill keeps', async () => {
    const { at } = await pixelsOf(files, 'c_thumb,g_west,h_60,w_60,z_3');
    expect([at(1, 10), at(58, 10), at(1, 50), at(58, 50)]).toEqual([RED, RED, BLUE, BLUE]);
  });
});

describe('padding', () => {
  it('is transparent without a background, and white in a JPEG', async () => {
    const { at } = await pixelsOf(files, 'c_pad,h_100,w_80');
    expect([at(40, 5), at(5, 25)]).toEqual([CLEAR, RED]);
    const { body } = await render(files, ['c_pad,h_100,w_80'], { format: 'jpg' });
    expect((await unpack(body)).at(40, 5)).toEqual(WHITE);
  });

  it.each([
    ['red', RED],
    ['ReD', RED],
    ['rgb:00f', BLUE],
    ['rgb:0000ff80', [0, 0, 255, 128]],
    ['none', CLEAR],
  ] as const)('has the colour %s', async (color, expected) => {
    expect((await pixelsOf(files, `b_${color},c_pad,h_100,w_80`)).at(40, 5)).toEqual(expected);
  });

  it.each([
    ['north', 5, 90],
    ['south', 90, 5],
  ])('puts the image %s', async (gravity, shown, padded) => {
    const { at } = await pixelsOf(files, `b_black,c_pad,g_${gravity},h_100,w_80`);
    expect(at(20, shown)).not.toEqual(BLACK);
    expect(at(20, padded)).toEqual(BLACK);
  });

  it('takes the colour of most of the border with b_auto', async () => {
    const framed = await drawn(40, 40, (x, y) => (x < 5 || y < 5 || x > 34 || y > 34 ? BLUE : RED))
      .png()
      .toBuffer();
    const border = await render(framed, ['b_auto,c_pad,h_40,w_80']);
    expect((await unpack(border.body)).at(5, 20)).toEqual(BLUE);
    expect(border.headers['X-Pixseal-Approximate']).toBe('b_auto: predominant colour');
    expect((await pixelsOf(framed, 'b_auto:predominant,c_pad,h_40,w_80')).at(5, 20)).toEqual(RED);
    expect(
      (await pixelsOf(framed, 'b_auto:border:palette_red_green_navy,c_pad,h_40,w_80')).at(5, 20),
    ).toEqual([0, 0, 128, 255]);
  });

  it('shows the image itself, soft, with b_blurred', async () => {
    const { at } = await pixelsOf(files, 'b_blurred:200,c_pad,h_60,w_200');
    expect(at(2, 5)[0]).toBeGreaterThan(200);
    expect(at(197, 5)[1]).toBeGreaterThan(200);
    expect(at(100 - 20, 5)).toEqual(RED);
  });

  it('is blurred from the part that covers the canvas, however thin the image', async () => {
    const line = await drawn(500, 1, (x) => (x < 240 ? RED : x < 260 ? GREEN : BLUE))
      .png()
      .toBuffer();
    const { width, height, at } = await pixelsOf(line, 'b_blurred:100,c_pad,h_500,w_490');
    expect([width, height]).toEqual([490, 500]);
    for (const y of [0, 499]) expect(at(245, y)).toEqual(GREEN);
  });

  it('fills what is transparent in the image too', async () => {
    const { at } = await pixelsOf(disc, 'b_red');
    expect([at(0, 0), at(10, 10)]).toEqual([RED, GREEN]);
  });
});

describe('a turn', () => {
  it.each([
    ['90', [BLUE, RED, YELLOW, GREEN]],
    ['-90', [GREEN, YELLOW, RED, BLUE]],
    ['180', [YELLOW, BLUE, GREEN, RED]],
    ['hflip', [GREEN, RED, YELLOW, BLUE]],
    ['vflip', [BLUE, YELLOW, RED, GREEN]],
    ['hflip.90', [YELLOW, GREEN, BLUE, RED]],
    ['vflip.hflip', [YELLOW, BLUE, GREEN, RED]],
    ['auto_right', [RED, GREEN, BLUE, YELLOW]],
  ])('by a_%s moves the quadrants', async (angle, expected) => {
    expect(await corners(`a_${angle}`)).toEqual(expected);
  });

  it('to match the ratio of a crop comes before it', async () => {
    expect(await corners('a_auto_right,c_fill,h_40,w_30')).toEqual([BLUE, RED, YELLOW, GREEN]);
    expect(await corners('a_auto_left,c_fill,h_40,w_30')).toEqual([GREEN, YELLOW, RED, BLUE]);
    expect(await corners('a_auto_left,c_fill,h_30,w_40')).toEqual([RED, GREEN, BLUE, YELLOW]);
  });

  it('leaves transparent corners, without a dark edge', async () => {
    const white = await drawn(60, 60, () => WHITE)
      .png()
      .toBuffer();
    const { width, height, at } = await pixelsOf(white, 'a_30');
    expect(at(0, 0)).toEqual(CLEAR);
    let darkest = 255;
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) if (at(x, y)[3] > 20) darkest = Math.min(darkest, at(x, y)[0]);
    }
    expect(darkest).toBeGreaterThan(235);
  });

  it('shows the background in its corners', async () => {
    expect(await corners('a_45,b_black')).toEqual([BLACK, BLACK, BLACK, BLACK]);
  });

  it('applies the camera’s orientation, unless it is disabled', async () => {
    const held = await quadrants(80, 60).jpeg({ quality: 100 }).withMetadata({ orientation: 6 }).toBuffer();
    const upright = await unpack((await render(held, ['c_fit,w_30'])).body);
    expect([upright.width, upright.height]).toEqual([30, 40]);
    expect(upright.at(2, 2)[2]).toBeGreaterThan(200);
    const asStored = await unpack((await render(held, ['a_ignore'])).body);
    expect([asStored.width, asStored.height]).toEqual([80, 60]);
    expect(asStored.at(2, 2)[0]).toBeGreaterThan(200);
  });
});

describe('corners, borders and opacity', () => {
  it('makes an oval of r_max', async () => {
    const { at } = await pixelsOf(files, 'r_max');
    expect([at(0, 0)[3], at(40, 0)[3], at(0, 30)[3], at(20, 20)]).toEqual([0, 255, 255, RED]);
    // The ellipse of the sides: a pixel is inside where ((x-40)/40)² + ((y-30)/30)² < 1.
    for (const [x, y] of [
      [10, 10],
      [16, 9],
      [70, 50],
      [5, 30],
      [12, 20],
    ] as const) {
      const inside = ((x + 0.5 - 40) / 40) ** 2 + ((y + 0.5 - 30) / 30) ** 2;
      if (inside < 0.9) expect(at(x, y)[3]).toBe(255);
      if (inside > 1.1) expect(at(x, y)[3]).toBe(0);
    }
  });

  it.each([
    ['10', [0, 0, 0, 0]],
    ['10:0', [0, 255, 255, 0]],
    ['10:0:0', [0, 255, 255, 255]],
    ['0:10:0:0', [255, 0, 255, 255]],
    ['0:0:0:10', [255, 255, 0, 255]],
  ])('rounds the corners that r_%s names', async (radius, alphas) => {
    const { at } = await pixelsOf(files, `r_${radius}`);
    expect([at(0, 0)[3], at(79, 0)[3], at(0, 59)[3], at(79, 59)[3]]).toEqual(alphas);
    expect(at(40, 30)[3]).toBe(255);
  });

  it('lays a border around, and around rounded corners', async () => {
    const plain = await pixelsOf(files, 'bo_5px_solid_black');
    expect([plain.width, plain.height, plain.at(0, 0), plain.at(4, 30), plain.at(5, 6)]).toEqual([
      90,
      70,
      BLACK,
      BLACK,
      RED,
    ]);
    const round = await pixelsOf(files, 'bo_5px_solid_black,r_20');
    expect([round.at(0, 0)[3], round.at(2, 40), round.at(7, 40)]).toEqual([0, BLACK, BLUE]);
  });

  it('does not paint a border behind a transparent image', async () => {
    const { at } = await pixelsOf(disc, 'bo_2px_solid_red');
    expect([at(0, 0), at(3, 3), at(12, 12)]).toEqual([RED, CLEAR, GREEN]);
  });

  it('takes a share of alpha with o_', async () => {
    expect((await pixelsOf(files, 'o_50')).at(5, 5)).toEqual([255, 0, 0, 128]);
    expect((await pixelsOf(files, 'o_0')).at(5, 5)[3]).toBe(0);
  });
});

describe('a layer', () => {
  it('of one component has its own size, place and opacity', async () => {
    const { at, width, height } = await pixelsOf(files, 'g_south_east,h_20,l_red,o_50,w_10,x_5,y_5');
    expect([width, height]).toEqual([80, 60]);
    // Half of red over yellow.
    expect(at(70, 45)).toEqual([255, 127, 0, 255]);
    expect([at(64, 45), at(76, 45), at(70, 34), at(70, 56)]).toEqual([YELLOW, YELLOW, YELLOW, YELLOW]);
  });

  it('is offset by shares of the image, which a device pixel ratio leaves alone', async () => {
    for (const [placing, left] of [
      ['x_0.25,y_0.5', 20],
      ['dpr_2.0,x_0.25,y_0.5', 20],
      ['x_20,y_30', 20],
      ['dpr_2.0,x_10,y_15', 20],
    ] as const) {
      const { at } = await pixelsOf(files, `g_north_west,l_red,${placing}`);
      expect([at(left - 1, 31), at(left + 1, 31)]).toEqual([BLUE, RED]);
    }
  });

  it('of a group is changed by the steps within, and placed by the last', async () => {
    const { at } = await pixelsOf(
      files,
      'l_private:marks:disc',
      'c_scale,w_10',
      'b_blue',
      'fl_layer_apply,g_north_west',
    );
    expect([at(5, 5), at(11, 11)]).toEqual([GREEN, RED]);
    expect(at(0, 0)[2]).toBeGreaterThan(250);
  });

  it('nests', async () => {
    const { at } = await pixelsOf(
      files,
      'l_upload:avatar',
      'l_red',
      'c_scale,w_4',
      'fl_layer_apply,g_north_west',
      'fl_layer_apply,g_south_east',
    );
    // The avatar is at (50, 40), with red in its own corner.
    expect([at(51, 41), at(56, 46), at(48, 38)]).toEqual([RED, BLUE, YELLOW]);
  });

  it('is a share of the image below with fl_relative, of itself without', async () => {
    const relative = await pixelsOf(files, 'fl_relative,g_north_west,l_red,w_0.5');
    expect([relative.at(39, 39), relative.at(41, 5)]).toEqual([RED, GREEN]);
    const own = await pixelsOf(files, 'g_north_east,l_red,w_0.5');
    expect([own.at(79, 4), own.at(79, 6)]).toEqual([RED, GREEN]);
    const grouped = await pixelsOf(
      files,
      'l_red',
      'c_scale,fl_relative,w_0.25',
      'fl_layer_apply,g_south_west',
    );
    expect([grouped.at(19, 41), grouped.at(21, 41)]).toEqual([RED, BLUE]);
  });

  it('below the image shows where that is transparent', async () => {
    const { at } = await pixelsOf(
      shelf({ 'private/photo': disc, 'upload/red': await quadrants(20, 20).png().toBuffer() }),
      'u_red',
    );
    expect([at(0, 0), at(19, 19), at(10, 10)]).toEqual([RED, YELLOW, GREEN]);
  });

  it('covers the image with fl_tiled, however the seed puts it', async () => {
    const { at } = await pixelsOf(
      files,
      'c_fit,h_1920,w_1920',
      'fl_attachment',
      'fl_tiled,l_red,w_10',
      'c_fit,h_60,w_80',
    );
    expect([at(0, 0), at(79, 59), at(40, 30)]).toEqual([RED, RED, RED]);
  });

  it('that is not there is 404, named', async () => {
    expect(await refusal(files, ['l_private:nobody'])).toBe('404 Resource not found - nobody');
  });

  it('of text changes pixels and keeps the size', async () => {
    const { at, width, height } = await pixelsOf(files, 'co_black,g_north_west,l_text:Arial_20:I');
    expect([width, height]).toEqual([80, 60]);
    const alike = Array.from({ length: 900 }, (_, index) => at(index % 30, Math.floor(index / 30))).filter(
      ([red]) => red < 40,
    );
    expect(alike.length).toBeGreaterThan(10);
  });
});

describe('a text in a font file', () => {
  it.each(['Brand-Serif.ttf', 'fonts:a:Gr%C3%B6%C3%9Fe%202.otf', '2020.woff2'])(
    'is rendered in a font of the package, which the header says: %s',
    async (font) => {
      const { headers } = await render(files, [`l_text:${font}_20_bold:Hi`]);
      expect(headers['X-Pixseal-Approximate']).toMatch(/^text: DejaVu (Sans|Serif) Bold for [ -~]+$/);
    },
  );

  it.each(['a%2fb.ttf_20:Hi', 'a.ttf:Hi', 'a.woff_20:Hi', 'a:b_20:Hi', '.ttf_20:Hi', 'a_4_b.ttf_20:Hi'])(
    'is refused as l_text:%s',
    async (text) => {
      expect(await refusal(files, [`l_text:${text}`])).toMatch(/^400 /);
    },
  );
});

describe('a default image', () => {
  const empty = shelf({ 'upload/avatar': avatar });

  it.each(['d_avatar', 'd_avatar.png'])(
    '%s is shown, transformed, and the header says what is missing',
    async (component) => {
      const { width, headers, body } = await render(empty, [component, 'w_15']);
      expect([width, headers['X-Cld-Error'], (await unpack(body)).at(0, 0)]).toEqual([
        15,
        'Resource not found - photo',
        BLUE,
      ]);
    },
  );

  it('that is missing too is 404', async () => {
    expect(await refusal(empty, ['d_nobody.png'])).toBe('404 Resource not found - photo');
    expect(await refusal(empty, [])).toBe('404 Resource not found - photo');
  });
});

describe('what is not supported', () => {
  it.each([
    [
      't_passport',
      '400 Parameter t is not supported in component t_passport: no file in DATA_DIR/transformations had that name when the service started, or the component has other parameters',
    ],
    ['p_icon', '400 Parameter p is not supported in component p_icon: a prefix applies to SVG output'],
    ['cs_cmyk', '400 Value cmyk for parameter cs is not supported in component cs_cmyk'],
    ['q_jpegmini', '400 Value jpegmini for parameter q is not supported in component q_jpegmini'],
    [
      'c_imagga_crop,w_10',
      '400 Value imagga_crop for parameter c is not supported in component c_imagga_crop,w_10',
    ],
    ['fl_apng', '400 Flag apng is not supported in component fl_apng: animated PNG is not written'],
    [
      'c_fill,e_blur_region,h_5,w_5',
      '400 Parameter c is not supported beside an effect of a region in component c_fill,e_blur_region,h_5,w_5',
    ],
    [
      'e_pixelate_region,g_ocr_text',
      '400 Parameter g is not supported beside an effect of a region in component e_pixelate_region,g_ocr_text',
    ],
    ['e_distort:0:0:9:0:9:0:0:0', '400 Effect distort needs four corners of a quadrilateral'],
    ['c_fill,g_liquid,h_5,w_5', '400 Gravity liquid is not supported in component c_fill,g_liquid,h_5,w_5'],
    ['b_gen_fill,c_pad,h_90,w_90', '400 Background gen_fill is not supported'],
    ['b_blurred,w_10', '400 Background blurred needs a padding crop in component b_blurred,w_10'],
    ['e_art:zorro', '400 Effect not supported: art'],
    ['f_psd', '400 Invalid value psd for parameter f: this format is not supported'],
    ['pg_1-3', '400 Invalid value 1-3 for parameter pg: only one page, from 1 on, is supported'],
    ['pg_0', '400 Invalid value 0 for parameter pg in component pg_0'],
    ['pg_2', '400 Page 2 does not exist: the image has 1'],
    ['fl_keep_iptc', '400 Flag keep_iptc is not supported for png, only for jpg'],
    [
      'fl_region_relative,l_red,w_0.5',
      '400 Flag region_relative is not supported in component fl_region_relative,l_red,w_0.5: there are no detected or custom regions',
    ],
  ])('is refused and named: %s', async (component, message) => {
    expect(await refusal(files, [component])).toBe(message);
  });

  it('is an original that is no image', async () => {
    expect(await refusal(Buffer.from('GIF89a, or so'), ['w_1'])).toBe('400 Invalid image file');
    expect(await refusal(photo.subarray(0, 150), ['w_1'])).toBe('400 Invalid image file');
  });
});

describe('limits', () => {
  const request: RenderRequest = {
    deliveryType: 'private',
    publicId: 'photo',
    chain: [],
    format: 'png',
    accept: undefined,
  };

  it('hold for what a header declares, before it is unpacked', async () => {
    const renderer = new ImageRenderer(files, { ...DEFAULT_LIMITS, inputPixels: 4000 });
    await expect(
      renderer.render({ ...request, chain: ['w_1'] }, new AbortController().signal),
    ).rejects.toThrow(/^(?:Maximum image size|Invalid image file)/);
  });

  it('hold for every image between two steps', async () => {
    const renderer = new ImageRenderer(files, { ...DEFAULT_LIMITS, pixels: 10_000 });
    const signal = new AbortController().signal;
    await expect(renderer.render({ ...request, chain: ['w_110', 'w_10'] }, signal)).resolves.toMatchObject({
      width: 10,
    });
    for (const step of ['w_200', 'c_pad,h_200,w_80', 'bo_60px_solid_red', 'l_upload:avatar,w_300,x_300']) {
      await expect(renderer.render({ ...request, chain: [step, 'w_10'] }, signal)).rejects.toThrow(
        /^Maximum image size/,
      );
    }
  });
});

/** Parameters that are refused whole: without them the rest of a chain is reached. */
const REFUSED = ['prefix', 'transformation', 'color_space', 'page'];

describe('the work of a render', () => {
  it('is bounded by the pixels that its components start from, its layers included', async () => {
    const renderer = new ImageRenderer(files, { ...DEFAULT_LIMITS, work: 40_000 });
    const { signal } = new AbortController();
    const request = { deliveryType: 'private', publicId: 'photo', format: 'png', accept: undefined } as const;
    const render = (...chain: string[]): Promise<unknown> => renderer.render({ ...request, chain }, signal);
    await expect(render('w_100,h_100,c_scale', 'e_sepia', 'e_sepia')).resolves.toBeDefined();
    for (const chain of [
      ['w_100,h_100,c_scale', ...Array.from({ length: 5 }, () => 'e_vignette')],
      ['l_upload:avatar', ...Array.from({ length: 5 }, () => 'c_scale,h_100,w_100'), 'fl_layer_apply'],
    ]) {
      await expect(render(...chain)).rejects.toThrow(
        /^The components process more than 0\.04 megapixels in total/,
      );
    }
  });
});

describe('a chain whose sizes follow from the picture’s', () => {
  const TWENTY = Array.from({ length: 20 }, (_, index) => `a_${17 + index}`);
  const ask = { deliveryType: 'private', publicId: 'photo', format: 'png', accept: undefined } as const;

  it.each([
    ['rotations', 3_000, TWENTY],
    ['rotations of what is made smaller first', 4_000, ['c_limit,w_3000', ...TWENTY]],
    ['a step that makes it smaller, and larger again', 3_000, ['w_10', 'h_4990,w_4990', ...TWENTY]],
    [
      'crops, pads, borders and effects',
      2_000,
      [
        ...TWENTY.map((turn) => `${turn},bo_9px_solid_red`),
        'c_pad,h_4000,w_4000',
        'c_crop,w_3900',
        ...TWENTY.slice(0, 10).map(() => 'e_sepia'),
      ],
    ],
    ['rotations inside of a layer', 3_000, ['w_9', 'l_private:photo', ...TWENTY, 'fl_layer_apply']],
  ])('is refused before its first step: %s', async (_, side, chain) => {
    const original = await sharp({ create: { width: side, height: side, channels: 3, background: '#456' } })
      .png()
      .toBuffer();
    const { signal } = new AbortController();
    // It is looked at before each frame that a component works on.
    const looks = vi.spyOn(signal, 'throwIfAborted');
    const renderer = new ImageRenderer(shelf({ 'private/photo': original }));
    await expect(renderer.render({ ...ask, chain }, signal)).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining('The components process more than 250 megapixels') as string,
    });
    expect(looks.mock.calls.length).toBeLessThan(6);
  });

  it('is not refused where it stays within the limit', async () => {
    const charge = vi.spyOn(RenderWork.prototype, 'charge');
    const component = fc.constantFrom(
      ...['c_scale,w_0.7', 'w_1.3', 'h_90', 'c_fit,h_50,w_90', 'c_limit,h_40,w_60', 'c_mfit,h_100,w_100'],
      ...['c_fill,h_50,w_70', 'c_lfill,h_300,w_70', 'c_fill_pad,g_auto,h_50,w_90', 'ar_3:2,c_fill,g_face'],
      ...['c_pad,h_80,w_70', 'c_lpad,h_200,w_90', 'c_mpad,h_70,w_130', 'b_blurred,c_pad,h_60,w_80'],
      ...['c_crop,h_70,w_40', 'c_crop,g_south_east,h_7,w_400', 'c_crop,w_30,x_60', 'c_crop,g_xy_center,w_9'],
      ...[
        'c_thumb,h_30,w_30,z_1.5',
        'c_auto,g_auto,h_50,w_20',
        'dpr_1.5',
        'dpr_2.0,w_40',
        'c_crop,dpr_2.0,w_40',
      ],
      ...[
        'a_33',
        'a_-91',
        'a_180',
        'a_hflip.20',
        'a_90.45',
        'a_auto_right,h_90,w_30',
        'w_iw_div_2',
        'w_w_mul_1.1',
      ],
      ...[
        'bo_3px_solid_red',
        'r_max',
        'o_50',
        'e_sepia',
        'e_pixelate',
        'e_blur',
        'e_trim',
        'e_shadow',
        'e_outline',
      ],
      ...[
        'a_20,bo_2px_solid_red,c_fill,e_vignette,h_50,r_9,w_70',
        'b_auto,c_pad,h_90,w_90',
        'fl_relative,w_0.5',
      ],
    );
    await fc.assert(
      fc.asyncProperty(fc.array(component, { minLength: 1, maxLength: 8 }), async (chain) => {
        const attempt = (work: number): Promise<unknown> =>
          new ImageRenderer(files, { ...DEFAULT_LIMITS, pixels: 1_000_000, work }).render(
            { ...ask, chain },
            new AbortController().signal,
          );
        charge.mockClear();
        try {
          await attempt(Infinity);
        } catch {
          return;
        }
        const work = charge.mock.calls.reduce((sum, [pixels]) => sum + pixels, 0);
        await expect(attempt(work)).resolves.toBeDefined();
        if (work > 0) await expect(attempt(work - 1)).rejects.toMatchObject({ status: 400 });
      }),
      { numRuns: 200 },
    );
    charge.mockRestore();
  });

  it('has the sizes that libvips rotates to', async () => {
    for (let degrees = -361; degrees < 370; degrees += 7) {
      for (const [width, height] of [
        [1, 1],
        [3, 200],
        [97, 31],
        [50, 50],
      ] as const) {
        const frame = { width, height, pixels: Buffer.alloc(width * height * 4) };
        const turned = await turn(frame, degrees);
        expect([degrees, turnedSize(frame, degrees)]).toStrictEqual([
          degrees,
          { width: turned.width, height: turned.height },
        ]);
      }
    }
  });
});

describe('a client that leaves', () => {
  it('ends the render before it starts', async () => {
    const find = vi.fn(() => Promise.resolve(photo));
    await expect(
      new ImageRenderer({ find }).render(
        { deliveryType: 'private', publicId: 'photo', chain: [], format: 'png', accept: undefined },
        AbortSignal.abort(new Error('gone')),
      ),
    ).rejects.toThrow('gone');
    expect(find).not.toHaveBeenCalled();
  });

  it('ends it between two steps', async () => {
    const leaving = new AbortController();
    let found = 0;
    const originals = {
      find: (): Promise<Buffer> => {
        found += 1;
        // The second layer is looked for after the first is placed.
        if (found === 2) leaving.abort(new Error('gone'));
        return Promise.resolve(photo);
      },
    };
    await expect(
      new ImageRenderer(originals).render(
        {
          deliveryType: 'private',
          publicId: 'photo',
          chain: ['w_40', 'l_a', 'l_b'],
          format: 'png',
          accept: undefined,
        },
        leaving.signal,
      ),
    ).rejects.toThrow('gone');
    expect(found).toBe(2);
  });
});

describe('an original of another kind', () => {
  it.each([
    ['grey', async () => await sharp(photo).greyscale().toColourspace('b-w').png().toBuffer()],
    ['16 bits', async () => await sharp(photo).toColourspace('rgb16').png().toBuffer()],
    ['CMYK', async () => await sharp(photo).removeAlpha().toColourspace('cmyk').jpeg().toBuffer()],
    ['a palette', async () => await sharp(photo).png({ palette: true }).toBuffer()],
    ['AVIF', async () => await sharp(photo).avif().toBuffer()],
    ['TIFF', async () => await sharp(photo).tiff().toBuffer()],
  ])('%s is unpacked to straight sRGB', async (_, make) => {
    const { at, width, height } = await pixelsOf(await make(), 'c_scale,w_40');
    expect([width, height, at(5, 5)[3]]).toEqual([40, 30, 255]);
    // Red stays the lightest of red's channels, blue of blue's; grey has none.
    expect(at(5, 5)[0]).toBeGreaterThanOrEqual(at(5, 5)[2]);
    expect(at(5, 25)[2]).toBeGreaterThanOrEqual(at(5, 25)[0]);
  });
});

describe('whatever the mapper writes', () => {
  const rows = new Map<string, LayerAsset>([
    ['3d616b4e-a597-4b23-aa3d-d7de678f0ba6', { deliveryType: 'private', publicId: 'marks/disc' }],
  ]);

  it('is rendered within the ceiling, or refused by a RenderError', async () => {
    const mapper = new TransformationMapper();
    const small = await quadrants(40, 30).png().toBuffer();
    const animated = await sharp([small, small, small], { join: { animated: true } })
      .gif()
      .toBuffer();
    await fc.assert(
      fc.asyncProperty(
        acceptedSteps({ overlayIds: [...rows.keys()] }),
        fc.boolean(),
        async (steps, moves) => {
          const kept = steps.map((step) =>
            Object.fromEntries(Object.entries(step).filter(([key]) => !REFUSED.includes(key))),
          );
          const originals = shelf({ 'private/photo': moves ? animated : small, 'private/marks/disc': disc });
          const renderer = new ImageRenderer(originals, {
            ...DEFAULT_LIMITS,
            inputPixels: 1_000_000,
            pixels: 1_000_000,
          });
          try {
            const { body, contentType, width, height } = await renderer.render(
              {
                deliveryType: 'private',
                publicId: 'photo',
                chain: mapper.map(kept).components(rows),
                format: moves ? 'gif' : 'png',
                accept: 'image/webp',
              },
              new AbortController().signal,
            );
            // `fl_getinfo`.
            if (contentType === 'application/json') return;
            const file = await sharp(body).metadata();
            expect([file.width, file.pageHeight ?? file.height]).toEqual([width, height]);
          } catch (error) {
            expect(error).toBeInstanceOf(RenderError);
          }
        },
      ),
      { numRuns: Number(process.env['PIXSEAL_RENDER_RUNS'] ?? 300) },
    );
  });
});
