import sharp, { type Sharp } from 'sharp';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { LazyImage } from '../../src/renderer/image/lazy-image.js';
import { drawn, type Pixel, render, unpack } from './drawings.js';

const LARGE = { width: 8000, height: 6200 };

/** A smooth gradient: every place has a colour of its own, which scaling keeps. */
const gradient = (width: number, height: number): Sharp =>
  drawn(width, height, (x, y): Pixel => [
    Math.round((x * 255) / (width - 1)),
    Math.round((y * 255) / (height - 1)),
    128,
    255,
  ]);

let large: Buffer;
let medium: Buffer;
beforeAll(async () => {
  const small = await gradient(400, 310).png().toBuffer();
  large = await sharp(small).resize(LARGE.width, LARGE.height).jpeg({ quality: 95 }).toBuffer();
  medium = await sharp(small).resize(2000, 1550).removeAlpha().png().toBuffer();
});

/** The most pixels that were unpacked at once by a render. */
async function unpacked(work: () => Promise<unknown>): Promise<number> {
  const spy = vi.spyOn(LazyImage, 'ofRaster');
  await work();
  const most = Math.max(0, ...spy.mock.calls.map(([{ frames }]) => frames[0].width * frames[0].height));
  spy.mockRestore();
  return most;
}

describe('an original of 49.6 megapixels, more than an unpacked image may have', () => {
  it.each([
    ['one resize', ['c_fit,w_400'], [400, 310]],
    ['the format before', ['f_jpg,q_auto', 'c_fit,w_400'], [400, 310]],
    ['two resizes', ['c_limit,w_4000', 'c_fit,w_400'], [400, 310]],
    ['a crop with coordinates', ['c_crop,w_4000,h_3100,x_4000,y_3100', 'c_scale,w_200'], [200, 155]],
    ['a crop with shares', ['c_crop,w_0.5,h_0.5,g_south_east', 'c_scale,w_200'], [200, 155]],
    ['a fill and a crop of it', ['c_fill,w_1000,h_1000', 'c_crop,w_500,h_500', 'c_scale,w_100'], [100, 100]],
    ['a background', ['c_pad,w_300,h_300,b_auto'], [300, 300]],
    ['a gravity by content', ['c_fill,w_300,h_300,g_auto'], [300, 300]],
    ['a quarter turn', ['c_fit,w_400', 'a_90'], [310, 400]],
  ])('is rendered with %s', async (_, chain, size) => {
    const { width, height } = await unpack((await render(large, chain)).body);
    expect([width, height]).toEqual(size);
  });

  it('is refused at its full size', async () => {
    await expect(render(large, ['f_jpg,q_auto'])).rejects.toMatchObject({
      status: 400,
      message: 'Maximum image size is 25 Megapixels. Requested 49.60 Megapixels',
    });
  });

  it.each([
    [['c_fit,w_400'], 0],
    [['f_jpg,q_auto', 'c_fit,w_400'], 0],
    [['c_limit,w_4000', 'c_crop,w_2000,h_1000,g_north', 'c_fit,w_400', 'a_180'], 0],
    [['c_limit,w_4000', 'c_fit,w_400', 'e_sepia', 'e_blur', 'a_90', 'c_scale,w_100'], 0],
    [['c_limit,w_4000', 'c_fit,w_400', 'e_vignette'], 400 * 310],
  ])('%j unpacks %i pixels between components', async (chain, pixels) => {
    expect(await unpacked(() => render(large, chain, { format: 'jpg' }))).toBe(pixels);
  });
});

/** The colour of the gradient at a share of its sides. */
const colorAt = (x: number, y: number): readonly number[] => [x * 255, y * 255, 128, 255];

describe('merged operations show the same part of the image as single ones', () => {
  it.each([
    ['c_crop,w_4000,h_3100,x_4000,y_0/c_scale,w_200', [0.5, 1], [0, 0.5]],
    [
      'c_limit,w_4000/c_crop,w_1000,h_1000,x_500,y_600/c_scale,w_100',
      [0.125, 0.375],
      [600 / 3100, 1600 / 3100],
    ],
    ['c_fill,w_1000,h_775,g_west/c_crop,g_south_east,w_0.5,h_0.5/c_scale,w_0.25', [0.5, 1], [0.5, 1]],
    ['c_crop,w_0.5,h_1.0,g_east/c_crop,w_0.5,h_0.5,g_north/c_fit,w_250', [0.625, 0.875], [0, 0.5]],
    ['c_fit,w_500/c_scale,w_1000/c_crop,w_500,h_300,g_north_west', [0, 0.5], [0, 300 / 775]],
    ['c_fit,w_500/a_hflip/c_crop,w_250,g_west/c_fit,w_100', [1, 0.5], [0, 1]],
    ['c_fit,w_500/a_90/a_hflip/a_-90/c_fit,w_100', [0, 1], [1, 0]],
    ['c_fit,w_500/e_blur:20/c_crop,w_250,g_west/e_negate/a_180/e_negate', [0.5, 0], [1, 0]],
  ])('%s', async (chain, [left, right] = [], [top, bottom] = []) => {
    for (const original of [large, medium]) {
      // The medium original has a quarter of the sides; so have lengths in pixels that refer to it.
      const isMedium = original === medium;
      const steps = chain
        .split('/')
        .map((step, index) =>
          isMedium && index === 0 && step.startsWith('c_crop')
            ? step.replace(/([whxy])_(\d+)(?![.\d])/g, (_, code, value) => `${code}_${Number(value) / 4}`)
            : step,
        );
      if (isMedium && chain.startsWith('c_limit')) steps[0] = 'c_scale,w_4000';
      const { width, height, at } = await unpack((await render(original, steps)).body);
      const corners = [
        [at(0, 0), colorAt(left ?? 0, top ?? 0)],
        [at(width - 1, height - 1), colorAt(right ?? 0, bottom ?? 0)],
      ] as const;
      for (const [pixel, expected] of corners) {
        for (const [channel, value] of expected.entries()) {
          expect(Math.abs((pixel[channel] ?? 0) - value)).toBeLessThan(5);
        }
      }
    }
  });
});

describe('a file that ends too early', () => {
  it.each([[['c_fit,w_400']], [['f_auto']], [['a_90']], [['e_sepia']]])(
    'is refused with %j',
    async (chain) => {
      await expect(
        render(medium.subarray(0, medium.length - 2000), chain, { format: 'jpg' }),
      ).rejects.toMatchObject({ status: 400, message: 'Invalid image file' });
    },
  );
});

describe('an animation', () => {
  it.each([
    [['c_scale,w_10'], 10, 8],
    [['e_sepia', 'c_scale,w_10'], 10, 8],
    [['c_scale,w_10', 'c_scale,w_30', 'c_crop,w_20,h_20'], 20, 20],
    [['a_90', 'c_crop,w_10,h_10'], 10, 10],
    [['c_fill,w_10,h_16,g_auto'], 10, 16],
  ])('keeps all of its frames, which differ, with %j', async (chain, width, height) => {
    const frames = await Promise.all(
      ['#f00', '#0f0', '#00f'].map((background) =>
        sharp({ create: { width: 20, height: 16, channels: 4, background } })
          .png()
          .toBuffer(),
      ),
    );
    const original = await sharp(frames, { join: { animated: true } })
      .gif({ delay: [70, 80, 90] })
      .toBuffer();
    const { body } = await render(original, chain, { format: 'gif' });
    const { data, info } = await sharp(body, { animated: true }).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.pages]).toEqual([width, 3 * height, 3]);
    const colours = [0, 1, 2].map((frame) => data.readUInt32BE(frame * width * height * info.channels) >>> 8);
    expect(new Set(colours).size).toBe(3);
    expect((await sharp(body, { animated: true }).metadata()).delay).toEqual([70, 80, 90]);
  });
});
