import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyEffect, effectFidelity, effectFilter } from '../../src/renderer/image/effects/apply-effect.js';
import type { EffectContext } from '../../src/renderer/image/effects/effect-context.js';
import { IMPLEMENTED } from '../../src/renderer/image/effects/effect-table.js';
import { parsePaint } from '../../src/renderer/image/effects/paint.js';
import { fromSharp, toSharp } from '../../src/renderer/image/effects/pixels.js';
import { isLayerEffect } from '../../src/renderer/image/layers/compose-layer.js';
import type { Frame, RasterImage } from '../../src/renderer/image/raster-image.js';
import { RenderError } from '../../src/renderer/image/render.errors.js';
import { color } from '../../src/transformations/color.js';
import { EFFECTS } from '../../src/transformations/effects.js';

type Rgba = readonly [number, number, number, number];

const WHITE: Rgba = [255, 255, 255, 255];
const BLACK: Rgba = [0, 0, 0, 255];
const RED: Rgba = [255, 0, 0, 255];
const CLEAR: Rgba = [0, 0, 0, 0];

/** A frame drawn by a function of place. */
function drawn(width: number, height: number, at: (x: number, y: number) => Rgba): Frame {
  const pixels = Buffer.alloc(width * height * 4);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) pixels.set(at(x, y), (y * width + x) * 4);
  }
  return { width, height, pixels };
}

const still = (frame: Frame): RasterImage => ({ frames: [frame], delays: [], loop: 0 });
const row = (...colors: readonly Rgba[]): RasterImage =>
  still(drawn(colors.length, 1, (x) => colors[x] ?? CLEAR));
const pixel = ({ frames: [{ width, pixels }] }: RasterImage, x: number, y = 0): number[] => [
  ...pixels.subarray((y * width + x) * 4, (y * width + x) * 4 + 4),
];
const run = (image: RasterImage, effect: string, context: EffectContext = {}): Promise<RasterImage> =>
  applyEffect(image, effect, context);
/** What an effect makes of one colour. */
const of = async (colour: Rgba, effect: string, context: EffectContext = {}): Promise<number[]> =>
  pixel(await run(row(colour), effect, context), 0);

/** Every shade of every kind: a gradient of colours and of alpha. */
const GRADIENT = drawn(32, 24, (x, y) => [x * 8, y * 10, 255 - x * 8, 255 - (x % 4) * 60]);

describe('an effect of colours', () => {
  it.each<[string, Rgba, readonly number[]]>([
    ['negate', [10, 20, 200, 77], [245, 235, 55, 77]],
    ['grayscale', [255, 0, 0, 255], [54, 54, 54, 255]],
    ['grayscale', [0, 255, 0, 9], [182, 182, 182, 9]],
    ['blackwhite', [120, 120, 120, 255], [0, 0, 0, 255]],
    ['blackwhite', [130, 130, 130, 255], [255, 255, 255, 255]],
    ['blackwhite:40', [120, 120, 120, 255], [255, 255, 255, 255]],
    ['blackwhite:0', [0, 0, 0, 255], [255, 255, 255, 255]],
    ['blackwhite:100', [254, 254, 254, 255], [0, 0, 0, 255]],
    ['blackwhite:100', [255, 255, 255, 255], [255, 255, 255, 255]],
    // https://www.w3.org/TR/filter-effects-1/#sepiaEquivalent at 1
    ['sepia:100', [100, 100, 100, 255], [135, 120, 94, 255]],
    ['brightness:50', [100, 10, 200, 255], [150, 15, 255, 255]],
    ['brightness:-50', [100, 10, 200, 255], [50, 5, 100, 255]],
    ['brightness:0', [100, 10, 200, 255], [100, 10, 200, 255]],
    ['brightness_hsb:100', [80, 20, 200, 255], [102, 26, 255, 255]],
    ['brightness_hsb:100', [0, 0, 0, 255], [0, 0, 0, 255]],
    ['contrast', [100, 10, 200, 255], [100, 10, 200, 255]],
    ['contrast:0', [100, 10, 200, 255], [100, 10, 200, 255]],
    ['contrast:100:linear', [100, 10, 200, 255], [100, 10, 200, 255]],
    ['contrast:200:linear', [100, 10, 200, 255], [73, 0, 255, 255]],
    ['contrast:level_200;type_linear', [100, 10, 200, 255], [73, 0, 255, 255]],
    ['contrast:type_linear;level_1', [100, 10, 200, 255], [127, 126, 128, 255]],
    ['saturation:-100', [255, 0, 0, 255], [54, 54, 54, 255]],
    ['saturation:0', [100, 10, 200, 255], [100, 10, 200, 255]],
    ['hue:0', [100, 10, 200, 255], [100, 10, 200, 255]],
    ['hue:100', [255, 0, 0, 255], [0, 255, 255, 255]],
    ['hue:-100', [255, 0, 0, 255], [0, 255, 255, 255]],
    ['hue:100', [90, 90, 90, 255], [90, 90, 90, 255]],
    ['gamma:0', [100, 10, 200, 255], [100, 10, 200, 255]],
    ['gamma:100', [64, 0, 255, 255], [128, 0, 255, 255]],
    ['gamma:-50', [128, 0, 255, 255], [64, 0, 255, 255]],
    ['vibrance:100', [90, 90, 90, 255], [90, 90, 90, 255]],
    ['vibrance:100', [255, 0, 0, 255], [255, 0, 0, 255]],
    ['red:100', [50, 60, 70, 255], [100, 60, 70, 255]],
    ['green:-100', [50, 60, 70, 255], [50, 0, 70, 255]],
    ['blue:-50', [50, 60, 70, 255], [50, 60, 35, 255]],
    ['recolor:0:1:0:1:0:0:0:0:0.5', [10, 20, 30, 255], [20, 10, 15, 255]],
    ['recolor:0:1:0:0:1:0:0:0:0:0:0.5:0:0:0:0:1', [10, 20, 30, 8], [20, 10, 15, 8]],
    ['recolor:1:0:0:0:0:1:0:0:0:0:1:0:0:0:1:0.5', [10, 20, 30, 100], [10, 20, 30, 80]],
    ['tint:100:red', [0, 0, 0, 255], [0, 0, 0, 255]],
    ['tint:100:red', [255, 255, 255, 255], [255, 255, 255, 255]],
    ['tint:100:navy:gold', [0, 0, 0, 255], [0, 0, 128, 255]],
    ['tint:100:navy:gold', [255, 255, 255, 255], [255, 215, 0, 255]],
    ['tint:50:navy:gold', [0, 0, 0, 255], [0, 0, 64, 255]],
    ['tint:0:navy:gold', [12, 34, 56, 255], [12, 34, 56, 255]],
    ['tint:100:000:50p:fff:100p', [127, 127, 127, 255], [0, 0, 0, 255]],
    ['simulate_colorblind:rod_monochromacy', [255, 0, 0, 255], [76, 76, 76, 255]],
    ['fill_light:0', [40, 40, 40, 255], [40, 40, 40, 255]],
    ['noise:0', [40, 50, 60, 255], [40, 50, 60, 255]],
    ['opacity_threshold', [1, 2, 3, 127], [1, 2, 3, 0]],
    ['opacity_threshold', [1, 2, 3, 128], [1, 2, 3, 255]],
    ['opacity_threshold:100', [1, 2, 3, 254], [1, 2, 3, 0]],
    ['opacity_threshold:1', [1, 2, 3, 3], [1, 2, 3, 255]],
  ])('%s makes %j %j', async (effect, from, to) => {
    expect(await of(from, effect)).toEqual(to);
  });

  it('sepia turns every gray to a warm brown, more so by its level', async () => {
    for (const level of [1, 50, 100]) {
      const [red = 0, green = 0, blue = 0] = await of([120, 120, 120, 255], `sepia:${level}`);
      expect(red).toBeGreaterThanOrEqual(green);
      expect(green).toBeGreaterThanOrEqual(blue);
    }
    expect((await of([120, 120, 120, 255], 'sepia'))[2]).toBe(
      (await of([120, 120, 120, 255], 'sepia:80'))[2],
    );
    const weak = await of([120, 120, 120, 255], 'sepia:1');
    for (const [at, value] of [120, 120, 120, 255].entries())
      expect(Math.abs((weak[at] ?? 0) - value)).toBeLessThan(3);
  });

  it('contrast parts dark from light, and brings them together below 0', async () => {
    const spread = async (effect: string): Promise<number> =>
      ((await of([180, 180, 180, 255], effect))[0] ?? 0) - ((await of([80, 80, 80, 255], effect))[0] ?? 0);
    expect(await spread('contrast:50')).toBeGreaterThan(100);
    expect(await spread('contrast:-50')).toBeLessThan(100);
    expect(await spread('contrast:level_50;type_sigmoidal')).toBe(await spread('contrast:50'));
    for (const end of [BLACK, WHITE]) {
      expect(await of(end, 'contrast:100')).toEqual(end);
      expect(await of(end, 'contrast:-100')).toEqual(end);
    }
  });

  it('colorize blends with the color, which is gray by default', async () => {
    expect(await of([100, 100, 100, 50], 'colorize', { color: 'red' })).toEqual([255, 0, 0, 50]);
    expect(await of([100, 100, 100, 255], 'colorize:50', { color: 'rgb:0000ff' })).toEqual([
      50, 50, 178, 255,
    ]);
    expect(await of([100, 100, 100, 255], 'colorize:50')).toEqual([114, 114, 114, 255]);
    expect(await of([100, 100, 100, 255], 'colorize:0')).toEqual([100, 100, 100, 255]);
  });

  it('replace_color moves the shades of one color to another, and leaves the others', async () => {
    const image = row([200, 20, 20, 255], [120, 10, 10, 255], [20, 200, 20, 255], [128, 128, 128, 255]);
    const result = await run(image, 'replace_color:blue:30:c81414');
    const [red = 0, , blue = 0] = pixel(result, 0);
    expect(blue).toBeGreaterThan(red + 100);
    expect(pixel(result, 2)).toEqual([20, 200, 20, 255]);
    expect(pixel(result, 3)).toEqual([128, 128, 128, 255]);
    // By hue alone, an orange sky would be as near to a red-brown as its own shades.
    const sky = row([122, 47, 36, 255], [150, 70, 55, 255], [231, 154, 107, 255]);
    const green = await run(sky, 'replace_color:2e8b57:30:7a2f24');
    for (const x of [0, 1]) expect(pixel(green, x)[1]).toBeGreaterThan((pixel(green, x)[0] ?? 0) + 20);
    expect(pixel(green, 2)).toEqual([231, 154, 107, 255]);
    // Without a color to replace it is the most frequent strong one.
    expect(
      pixel(await run(row([200, 20, 20, 255], [205, 20, 20, 255], WHITE), 'replace_color:blue:30'), 2),
    ).toEqual(WHITE);
  });

  it('stretches the shades for auto_contrast and auto_color, by their blend', async () => {
    const dull = row([100, 100, 120, 255], [120, 120, 130, 255], [140, 140, 140, 255]);
    const {
      frames: [{ pixels }],
    } = await run(dull, 'auto_color');
    expect([pixels[0], pixels[8], pixels[2], pixels[10]]).toEqual([0, 255, 0, 255]);
    expect((await run(dull, 'auto_contrast')).frames[0].pixels[0]).toBeLessThan(10);
    for (const effect of [
      'auto_color:0',
      'auto_contrast:0',
      'auto_brightness:0',
      'improve:0',
      'improve:indoor:0',
    ]) {
      expect((await run(dull, effect)).frames[0].pixels).toEqual(dull.frames[0].pixels);
    }
    expect(pixel(await run(row([30, 30, 30, 255]), 'auto_brightness'), 0)[0]).toBeGreaterThan(60);
  });

  it('leaves an image of one shade as it is where there is nothing to stretch', async () => {
    for (const effect of ['auto_color', 'auto_contrast']) {
      expect(await of([90, 90, 90, 255], effect)).toEqual([90, 90, 90, 255]);
    }
  });

  it('keeps every alpha', async () => {
    const alphas = (frame: Frame): number[] => [...frame.pixels].filter((_, at) => at % 4 === 3);
    const ofColour = [
      'grayscale',
      'sepia',
      'hue:30',
      'tint',
      'contrast:40',
      'vignette',
      'noise:50',
      'sharpen',
      'improve',
    ];
    for (const effect of ofColour) {
      expect(alphas((await run(still(GRADIENT), effect)).frames[0]), effect).toEqual(alphas(GRADIENT));
    }
  });
});

describe('an effect that is an operation of libvips', () => {
  it.each([
    ...[
      'grayscale',
      'sepia',
      'sepia:30',
      'saturation:-40',
      'saturation:90',
      'brightness:40',
      'brightness:-30',
    ],
    ...['negate', 'simulate_colorblind', 'simulate_colorblind:tritanopia', 'blur', 'blur:10', 'blur:390'],
  ])('%s makes the same pixels, apart from rounding', async (effect) => {
    const { pixels: expected } = (await run(still(GRADIENT), effect)).frames[0];
    const { pixels } = await fromSharp((effectFilter(effect) ?? (() => expect.fail()))(toSharp(GRADIENT)));
    expect(pixels).toHaveLength(expected.length);
    expect(Math.max(...pixels.map((value, at) => Math.abs(value - (expected[at] ?? 0))))).toBeLessThan(2);
  });

  it.each(['blur:400', 'vignette', 'contrast'])('does not exist for %s', (effect) => {
    expect(effectFilter(effect)).toBeUndefined();
  });
});

describe('an effect of surroundings', () => {
  it('pixelate fills squares from the top left with one color each', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 40 }), async (side) => {
        const {
          frames: [{ width, height, pixels }],
        } = await run(still(GRADIENT), `pixelate:${side}`);
        expect([width, height]).toEqual([GRADIENT.width, GRADIENT.height]);
        for (let y = 0; y < height; y += 1) {
          for (let x = 0; x < width; x += 1) {
            const corner = (Math.floor(y / side) * side * width + Math.floor(x / side) * side) * 4;
            expect(pixels.readUInt32LE((y * width + x) * 4)).toBe(pixels.readUInt32LE(corner));
          }
        }
      }),
      { numRuns: 15 },
    );
    expect(pixel(await run(row(BLACK, WHITE), 'pixelate:2'), 0)).toEqual([128, 128, 128, 255]);
    // What is not seen gives no colour.
    expect(pixel(await run(row(RED, CLEAR), 'pixelate:2'), 1)).toEqual([255, 0, 0, 128]);
    expect((await run(still(GRADIENT), 'pixelate:1')).frames[0].pixels).toEqual(GRADIENT.pixels);
  });

  it.each(['blur:1', 'blur', 'blur:300', 'blur:2000'])(
    '%s keeps the size, and a flat color',
    async (effect) => {
      const flat = still(drawn(40, 30, () => [200, 100, 50, 255]));
      const {
        frames: [{ width, height, pixels }],
      } = await run(flat, effect);
      expect([width, height]).toEqual([40, 30]);
      expect(pixels).toEqual(flat.frames[0].pixels);
    },
  );

  it('blurs the more, the higher its strength', async () => {
    const edge = still(drawn(120, 8, (x) => (x < 60 ? BLACK : WHITE)));
    const atEdge = async (strength: number): Promise<number> =>
      pixel(await run(edge, `blur:${strength}`), 50, 4)[0] ?? 0;
    const values = [await atEdge(1), await atEdge(300), await atEdge(600), await atEdge(2000)];
    expect(values).toEqual(values.toSorted((one, other) => one - other));
    expect(values[0]).toBe(0);
    expect(new Set(values).size).toBeGreaterThan(2);
  });

  it('bleeds no color out of transparent pixels', async () => {
    const shape = still(drawn(40, 40, (x) => (x < 20 ? RED : [0, 255, 0, 0])));
    const {
      frames: [{ pixels }],
    } = await run(shape, 'blur:200');
    for (let at = 0; at < pixels.length; at += 4) {
      if ((pixels[at + 3] ?? 0) > 8) expect(pixels[at + 1]).toBeLessThan(8);
    }
  });

  it.each(['sharpen', 'unsharp_mask', 'sharpen:2000'])('%s makes an edge steeper', async (effect) => {
    const edge = still(drawn(20, 6, (x) => (x < 10 ? [80, 80, 80, 255] : [160, 160, 160, 255])));
    const result = await run(edge, effect);
    expect(pixel(result, 9, 3)[0]).toBeLessThan(80);
    expect(pixel(result, 10, 3)[0]).toBeGreaterThan(160);
    expect(pixel(result, 1, 3)[0]).toBe(80);
  });

  it('vignette leaves the center and darkens the corners, and 0 nothing', async () => {
    const white = still(drawn(41, 31, () => WHITE));
    const result = await run(white, 'vignette:60');
    expect(pixel(result, 20, 15)).toEqual(WHITE);
    expect(pixel(result, 0, 0)[0]).toBeLessThan(120);
    expect(pixel(result, 0, 0)).toEqual(pixel(result, 40, 30));
    expect((await run(white, 'vignette:0')).frames[0].pixels).toEqual(white.frames[0].pixels);
  });

  it('noise is the same each time', async () => {
    const [one, other] = [await run(still(GRADIENT), 'noise:50'), await run(still(GRADIENT), 'noise:50')];
    expect(one).toEqual(other);
    expect(one.frames[0].pixels).not.toEqual(GRADIENT.pixels);
  });
});

describe('trim', () => {
  const inside = (x: number, y: number): boolean => x >= 5 && x < 12 && y >= 3 && y < 9;

  it.each<[string, Rgba, Rgba]>([
    ['a white border', WHITE, RED],
    ['a transparent border', CLEAR, RED],
    ['a transparent border of any color', [9, 200, 30, 0], WHITE],
  ])('cuts off %s', async (_, border, colour) => {
    const {
      frames: [frame],
    } = await run(still(drawn(20, 14, (x, y) => (inside(x, y) ? colour : border))), 'trim');
    expect(frame).toEqual(drawn(7, 6, () => colour));
  });

  it('takes what is within the tolerance for the border', async () => {
    const image = still(
      drawn(20, 14, (x, y) => (inside(x, y) ? BLACK : x % 2 === 0 ? WHITE : [240, 240, 240, 255])),
    );
    expect((await run(image, 'trim:0')).frames[0]).toMatchObject({ width: 19 });
    expect((await run(image, 'trim:5')).frames[0]).toMatchObject({ width: 19 });
    expect((await run(image, 'trim:6')).frames[0]).toMatchObject({ width: 7, height: 6 });
  });

  it('cuts a border of a given color, or nothing where there is none', async () => {
    const image = still(drawn(20, 14, (x, y) => (inside(x, y) ? BLACK : WHITE)));
    expect((await run(image, 'trim:10:white')).frames[0]).toMatchObject({ width: 7 });
    expect((await run(image, 'trim:fff')).frames[0]).toMatchObject({ width: 7 });
    expect((await run(image, 'trim:10:red')).frames[0]).toMatchObject({ width: 20 });
  });

  it('leaves an image that is all border', async () => {
    expect((await run(still(drawn(6, 5, () => WHITE)), 'trim')).frames[0]).toMatchObject({
      width: 6,
      height: 5,
    });
  });

  it('cuts all frames of an animation alike', async () => {
    const dot = (left: number): Frame => drawn(20, 10, (x, y) => (x === left && y === 4 ? RED : WHITE));
    const { frames } = await run({ frames: [dot(3), dot(9)], delays: [50, 50], loop: 0 }, 'trim');
    expect(frames.map(({ width, height }) => [width, height])).toEqual([
      [7, 1],
      [7, 1],
    ]);
  });
});

describe('an effect of the shape', () => {
  const disc = still(drawn(40, 40, (x, y) => (Math.hypot(x - 19.5, y - 19.5) < 12 ? RED : CLEAR)));

  it.each([1, 5, 20, 100])(
    'outline:outer:%i grows the canvas by its width and surrounds the shape',
    async (width) => {
      const result = await run(disc, `outline:outer:${width}`, { color: 'blue' });
      expect(result.frames[0]).toMatchObject({ width: 40 + 2 * width, height: 40 + 2 * width });
      const middle = 20 + width;
      expect(pixel(result, middle, middle)).toEqual(RED);
      // The disc's radius is 12; the outline reaches from there as far as its width.
      expect(pixel(result, middle - 12 - Math.ceil(width / 2), middle)).toEqual([0, 0, 255, 255]);
      expect(pixel(result, middle - 12 - width - 3, middle)[3]).toBe(0);
    },
  );

  it('outline:inner stays within the shape', async () => {
    const result = await run(disc, 'outline:inner:4', { color: 'blue' });
    expect(result.frames[0]).toMatchObject({ width: 40, height: 40 });
    expect(pixel(result, 20, 20)).toEqual(RED);
    expect(pixel(result, 10, 20)).toEqual([0, 0, 255, 255]);
    expect(pixel(result, 2, 20)[3]).toBe(0);
  });

  it('outline is black, 5 wide, inside and around by default, and soft with a blur', async () => {
    const both = await run(disc, 'outline');
    expect([pixel(both, 25 - 14, 25), pixel(both, 25 - 10, 25)]).toEqual([BLACK, BLACK]);
    expect(pixel(await run(disc, 'outline:outer'), 25 - 10, 25)).toEqual(RED);
    const soft = await run(disc, 'outline:5:100');
    expect(soft.frames[0].width).toBe(40 + 2 * (5 + 15));
    expect(pixel(soft, 40 - 17, 40)[3]).toBeGreaterThan(20);
    expect(pixel(soft, 40 - 17, 40)[3]).toBeLessThan(235);
  });

  it('shadow is at x and y in the color, and grows the canvas to hold it', async () => {
    const box = still(drawn(10, 10, () => RED));
    const result = await run(box, 'shadow:0', { color: 'blue', x: 4, y: -3 });
    expect(result.frames[0]).toMatchObject({ width: 14, height: 13 });
    expect(pixel(result, 13, 0)).toEqual([0, 0, 255, 255]);
    expect(pixel(result, 0, 3)).toEqual(RED);
    expect(pixel(result, 0, 0)).toEqual(CLEAR);
    expect(pixel(await run(box, 'shadow:0'), 19, 19)).toEqual([128, 128, 128, 255]);
    expect((await run(box, 'shadow')).frames[0].width).toBe(10 + 2 + 22);
  });

  it('make_transparent takes the background away, or a given color', async () => {
    const image = row([250, 250, 250, 255], WHITE, RED);
    const alphas = async (effect: string, context: EffectContext = {}): Promise<unknown[]> => {
      const result = await run(image, effect, context);
      return [0, 1, 2].map((x) => pixel(result, x)[3]);
    };
    expect(await alphas('make_transparent')).toEqual([0, 0, 255]);
    expect(await alphas('make_transparent:0')).toEqual([0, 255, 255]);
    expect(await alphas('make_transparent:100')).toEqual([0, 0, 0]);
    expect(await alphas('make_transparent', { color: 'red' })).toEqual([255, 255, 0]);
    // What most of the edge is, whatever the corner.
    const blemished = still(drawn(9, 9, (x, y) => (x + y === 0 ? BLACK : x === 4 && y === 4 ? RED : WHITE)));
    const result = await run(blemished, 'make_transparent');
    expect([pixel(result, 0, 0)[3], pixel(result, 1, 1)[3], pixel(result, 4, 4)[3]]).toEqual([255, 0, 255]);
  });
});

describe('an effect of time', () => {
  const film: RasterImage = {
    frames: [drawn(2, 1, () => WHITE), drawn(2, 1, () => WHITE), drawn(2, 1, () => WHITE)],
    delays: [100, 100, 100],
    loop: 3,
  };
  const lights = ({ frames }: RasterImage): unknown[] => frames.map(({ pixels }) => pixels[0]);

  it('loop says how often an animation plays', async () => {
    expect((await run(film, 'loop')).loop).toBe(0);
    expect((await run(film, 'loop:2')).loop).toBe(3);
    expect(await run(row(RED), 'loop:2')).toEqual(row(RED));
  });

  it('fade comes from black, or goes to it', async () => {
    expect(lights(await run(film, 'fade:200'))).toEqual([0, 128, 255]);
    expect(lights(await run(film, 'fade:-200'))).toEqual([255, 255, 128]);
    // Two seconds by default.
    expect(lights(await run(film, 'fade'))).toEqual([0, 13, 26]);
    expect(lights(await run(film, 'fade:0'))).toEqual([255, 255, 255]);
    await expect(run(row(RED), 'fade:200')).rejects.toThrow(/fade/);
  });

  it('other effects act on each frame and keep its time', async () => {
    const result = await run(film, 'negate');
    expect(lights(result)).toEqual([0, 0, 0]);
    expect(result).toMatchObject({ delays: [100, 100, 100], loop: 3 });
  });

  it('is aborted between two frames if no client waits', async () => {
    await expect(run(film, 'negate', { signal: AbortSignal.abort(new Error('gone')) })).rejects.toThrow(
      'gone',
    );
  });
});

describe('the table of effects', () => {
  const missing = [...EFFECTS.keys()].filter((name) => !IMPLEMENTED.has(name) && !isLayerEffect(name));

  it('has effects of the vocabulary only, each with its source', () => {
    for (const [name, { source, rule }] of IMPLEMENTED) {
      expect(EFFECTS.has(name), name).toBe(true);
      expect(source).toContain(`#e_${name}`);
      expect(rule).not.toBe('');
    }
  });

  it.each([...IMPLEMENTED.keys()])('%s renders without arguments or says which it needs', async (name) => {
    const film: RasterImage = { frames: [GRADIENT, GRADIENT], delays: [40, 40], loop: 0 };
    const needsArguments = ['recolor', 'replace_color', 'distort', 'shear'].includes(name);
    const result = run(film, name);
    if (needsArguments) await expect(result).rejects.toMatchObject({ status: 400 });
    else {
      for (const { width, height, pixels } of (await result).frames)
        expect(pixels).toHaveLength(width * height * 4);
    }
    expect(['exact', 'approximate']).toContain(effectFidelity(name));
  });

  it('never writes to the frame it is given', async () => {
    const before = Buffer.from(GRADIENT.pixels);
    for (const name of IMPLEMENTED.keys()) await run(still(GRADIENT), name).catch(() => undefined);
    expect(GRADIENT.pixels).toEqual(before);
  });

  it.each(missing)('%s is refused by name', async (name) => {
    await expect(run(row(RED), name)).rejects.toEqual(new RenderError(400, `Effect not supported: ${name}`));
    expect(effectFidelity(name)).toBe('missing');
  });

  it.each([
    ['nonsense', 'nonsense'],
    ['', ''],
    ['sepia:0', 'sepia:0'],
    ['sepia:101', 'sepia:101'],
    ['blur:0', 'blur:0'],
    ['blur:2001', 'blur:2001'],
    ['pixelate:201', 'pixelate:201'],
    ['brightness:-100', 'brightness:-100'],
    ['gamma:151', 'gamma:151'],
    ['negate:5', 'negate:5'],
    ['constructor', 'constructor'],
    ['outline:fill', 'outline:fill'],
    ['outline:inner_fill:5', 'outline:inner_fill'],
    ['multiply', 'multiply'],
  ])('%j is refused and named', async (effect, named) => {
    await expect(run(row(RED), effect)).rejects.toMatchObject({
      name: 'RenderError',
      status: 400,
      message: expect.stringContaining(named) as string,
    });
  });
});

describe('a color', () => {
  it.each([
    ['red', [255, 0, 0, 255]],
    ['RebeccaPurple', [102, 51, 153, 255]],
    ['green', [0, 128, 0, 255]],
    ['rgb:fff', [255, 255, 255, 255]],
    ['rgb:1234', [17, 34, 51, 68]],
    ['rgb:0A0b0c', [10, 11, 12, 255]],
    ['rgb:FEB61FC2', [254, 182, 31, 194]],
    ['89b8ed', [137, 184, 237, 255]],
    ['none', [0, 0, 0, 0]],
    ['transparent', [0, 0, 0, 0]],
  ])('%s is read', (text, parts) => {
    expect(Object.values(parsePaint(text))).toEqual(parts);
  });

  it('is read wherever the vocabulary has a name for one', () => {
    const { shape } = color;
    const names =
      shape.kind === 'any_of' ? shape.of.flatMap((each) => (each.kind === 'words' ? each.words : [])) : [];
    expect(names.length).toBeGreaterThan(140);
    for (const name of names) expect(() => parsePaint(name), name).not.toThrow();
  });

  it.each(['', 'rgb:', 'rgb:12', 'rgb:12345', 'rgb:red', 'auto', 'blurred', 'constructor'])(
    '%j is refused',
    (text) => {
      expect(() => parsePaint(text)).toThrow(RenderError);
    },
  );
});
