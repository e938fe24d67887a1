import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drawn, quadrants, refusal, render } from './drawings.js';

/**
 * Dimensions by formulas written down from https://cloudinary.com/documentation/transformation_reference#c_crop_resize
 * and its neighbours, apart from the code under test. W × H is the image, w × h the box.
 */

interface Sizes {
  readonly W: number;
  readonly H: number;
  readonly w: number;
  readonly h: number;
}

const size = fc.record({
  W: fc.integer({ min: 1, max: 120 }),
  H: fc.integer({ min: 1, max: 120 }),
  w: fc.integer({ min: 1, max: 150 }),
  h: fc.integer({ min: 1, max: 150 }),
});

/** Halves go up, also those that a product of quotients left a hair below. */
const whole = (length: number): number => Math.max(1, Math.round(Number(length.toFixed(6))));
const by = ({ W, H }: Sizes, factor: number): [number, number] => [whole(W * factor), whole(H * factor)];
const fit = ({ W, H, w, h }: Sizes): number => Math.min(w / W, h / H);
const fill = ({ W, H, w, h }: Sizes): number => Math.max(w / W, h / H);

const blank = async (W: number, H: number): Promise<Buffer> =>
  await drawn(W, H, () => [90, 90, 90, 255])
    .png({ compressionLevel: 0 })
    .toBuffer();

async function dimensions(W: number, H: number, ...chain: string[]): Promise<[number, number]> {
  const { width, height } = await render(await blank(W, H), chain, { format: 'png' });
  return [width, height];
}

const FORMULAS: readonly (readonly [
  mode: string,
  rule: string,
  formula: (sizes: Sizes) => [number, number],
])[] = [
  ['scale', 'is exactly the box', ({ w, h }) => [w, h]],
  ['fit', 'takes as much of the box as its ratio lets it, up or down', (s) => by(s, fit(s))],
  ['limit', 'is fit, never larger than the image', (s) => by(s, Math.min(1, fit(s)))],
  ['mfit', 'is fit, never smaller than the image', (s) => by(s, Math.max(1, fit(s)))],
  ['fill', 'is exactly the box', ({ w, h }) => [w, h]],
  ['thumb,g_center', 'is exactly the box', ({ w, h }) => [w, h]],
  ['auto,g_auto', 'is exactly the box', ({ w, h }) => [w, h]],
  [
    'lfill',
    'scales down to fill, never up, and cuts what exceeds the box',
    (s) => {
      const [W, H] = by(s, Math.min(1, fill(s)));
      return [Math.min(s.w, W), Math.min(s.h, H)];
    },
  ],
  ['pad', 'is exactly the box', ({ w, h }) => [w, h]],
  ['lpad', 'is exactly the box', ({ w, h }) => [w, h]],
  ['fill_pad,g_auto', 'is exactly the box', ({ w, h }) => [w, h]],
  ['auto_pad,g_auto', 'is exactly the box', ({ w, h }) => [w, h]],
  ['mpad', 'is the box where that is larger', ({ W, H, w, h }) => [Math.max(W, w), Math.max(H, h)]],
  ['crop', 'is the box as far as the image reaches', ({ W, H, w, h }) => [Math.min(W, w), Math.min(H, h)]],
];

describe('the size of a crop mode', () => {
  it.each(FORMULAS)('%s %s', async (mode, _, formula) => {
    await fc.assert(
      fc.asyncProperty(size, async (s) => {
        expect(await dimensions(s.W, s.H, `c_${mode},w_${s.w},h_${s.h}`)).toEqual(formula(s));
      }),
      { numRuns: 60 },
    );
  });

  it('follows the ratio of the image where one side is given', async () => {
    await fc.assert(
      fc.asyncProperty(
        size,
        fc.constantFrom('scale', 'fit', 'fill', 'pad', 'thumb,g_center'),
        async ({ W, H, w }, mode) => {
          fc.pre((H * w) / W < 1000);
          expect(await dimensions(W, H, `c_${mode},w_${w}`)).toEqual([w, whole((H * w) / W)]);
          expect(await dimensions(H, W, `c_${mode},h_${w}`)).toEqual([whole((H * w) / W), w]);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('rounds a half up that floating point would lose', async () => {
    expect(1 / (2 / 117)).toBeLessThan(58.5);
    expect(await dimensions(2, 117, 'c_scale,w_1')).toEqual([1, 59]);
  });

  it('follows `ar` where it is given with one side', async () => {
    await fc.assert(
      fc.asyncProperty(size, fc.integer({ min: 1, max: 9 }), async ({ W, H, w }, part) => {
        const other = whole((w * 3) / part);
        expect(await dimensions(W, H, `ar_${part}:3,c_fill,w_${w}`)).toEqual([w, other]);
        expect(await dimensions(W, H, `ar_3:${part},c_pad,h_${w}`)).toEqual([other, w]);
      }),
      { numRuns: 40 },
    );
  });

  it('cuts the largest window of an `ar` alone', async () => {
    await fc.assert(
      fc.asyncProperty(size, fc.constantFrom('crop', 'fill'), async ({ W, H }, mode) => {
        const expected = W / H > 1.5 ? [whole(H * 1.5), H] : [W, whole(W / 1.5)];
        expect(await dimensions(W, H, `ar_1.5,c_${mode}`)).toEqual(expected);
      }),
      { numRuns: 40 },
    );
  });
});

describe('a length', () => {
  const cases: readonly (readonly [string, [number, number]])[] = [
    ['w_0.5', [40, 30]],
    ['c_scale,w_1.5', [120, 90]],
    ['c_scale,w_1.0,h_0.5', [80, 30]],
    ['c_scale,h_30,fl_ignore_aspect_ratio', [80, 30]],
    ['w_iw_div_4', [20, 15]],
    ['c_scale,w_ih_mul_2_add_iw_div_2,h_10', [160, 10]],
    ['c_fit,w_auto,h_30', [40, 30]],
    ['c_scale,w_auto:100:20', [20, 15]],
    ['c_crop,w_0.25,h_0.5', [20, 30]],
    ['c_crop,w_20', [20, 60]],
    ['c_crop,x_30,y_50', [50, 10]],
    ['c_crop,h_20,w_20,x_70,y_50', [10, 10]],
    ['c_lpad,ar_1.0,w_1.1', [88, 88]],
    ['c_fit,dpr_2.0,h_15,w_40', [40, 30]],
    ['c_crop,dpr_2.0,h_15,w_40', [80, 30]],
    ['dpr_2.0', [160, 120]],
    ['dpr_auto,w_20', [20, 15]],
    ['bo_5px_solid_red', [90, 70]],
    ['a_90', [60, 80]],
    ['a_-90', [60, 80]],
    ['a_180', [80, 60]],
    ['a_360', [80, 60]],
    ['a_hflip.90', [60, 80]],
    ['a_auto_right,c_fill,h_40,w_30', [30, 40]],
    ['c_thumb,g_center,h_20,w_20,z_2', [20, 20]],
    ['c_scale,w_3,h_1', [3, 1]],
  ];
  it.each(cases)('of %s makes an 80 × 60 image %j', async (component, expected) => {
    expect(await dimensions(80, 60, component)).toEqual(expected);
  });

  it('counts what came before in a chain', async () => {
    expect(await dimensions(80, 60, 'c_scale,w_40', 'w_0.5')).toEqual([20, 15]);
    expect(await dimensions(80, 60, 'w_0.5', 'w_0.5')).toEqual([20, 15]);
    expect(await dimensions(80, 60, 'w_20', 'w_iw')).toEqual([80, 60]);
    expect(await dimensions(80, 60, 'w_20', 'w_w_mul_2')).toEqual([40, 30]);
    expect(await dimensions(80, 60, 'c_scale,h_30', 'dpr_2.0')).toEqual([80, 60]);
  });

  it('of the base chain fits 1920 × 1920', async () => {
    const base = ['c_fit,h_1920,w_1920', 'fl_attachment', 'dpr_auto,q_auto,f_auto'];
    expect(await dimensions(400, 300, ...base)).toEqual([1920, 1440]);
  });

  it('is one pixel at least', async () => {
    expect(await dimensions(120, 1, 'c_fit,w_10,h_10')).toEqual([10, 1]);
  });

  it('of a turned image holds its corners', async () => {
    await fc.assert(
      fc.asyncProperty(size, fc.integer({ min: -359, max: 359 }), async ({ W, H }, degrees) => {
        const angle = (degrees * Math.PI) / 180;
        const [width, height] = await dimensions(W, H, `a_${degrees}`);
        const across = W * Math.abs(Math.cos(angle)) + H * Math.abs(Math.sin(angle));
        const down = W * Math.abs(Math.sin(angle)) + H * Math.abs(Math.cos(angle));
        // libvips rounds outwards or to the nearest pixel.
        expect(Math.abs(width - across)).toBeLessThan(1.5);
        expect(Math.abs(height - down)).toBeLessThan(1.5);
      }),
      { numRuns: 40 },
    );
  });

  it.each([
    ['w_iw_sub_500', '400 Invalid value iw_sub_500 for parameter w in component w_iw_sub_500'],
    ['w_iw_div_0', '400 Expression iw_div_0 has no finite value'],
    ['w_fc', '400 Measure fc is not supported: there are no detected faces or layers of a PSD'],
    [
      'c_crop,g_face,z_0.5',
      '400 Zoom without a size needs detected coordinates in component c_crop,g_face,z_0.5',
    ],
    ['c_crop,h_5,w_5,x_80,y_0', '400 Nothing of the image is left by component c_crop,h_5,w_5,x_80,y_0'],
    ['h_60000,w_60000', '400 Maximum image size is 25 Megapixels. Requested 3600.00 Megapixels'],
    ['c_pad,h_60000,w_60000', '400 Maximum image size is 25 Megapixels. Requested 2700.00 Megapixels'],
    ['c_mpad,h_9000,w_9000', '400 Maximum image size is 25 Megapixels. Requested 81.00 Megapixels'],
    ['bo_9999px_solid_red', '400 Maximum image size is 25 Megapixels. Requested 402.72 Megapixels'],
  ])('refuses %s', async (component, message) => {
    expect(await refusal(await quadrants(80, 60).png().toBuffer(), [component])).toBe(message);
  });
});
