import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  composeLayer,
  isLayerEffect,
  type Placement,
} from '../../src/renderer/image/layers/compose-layer.js';
import { fallsBackToCenter } from '../../src/renderer/image/layers/placement.js';
import type { Frame, RasterImage } from '../../src/renderer/image/raster-image.js';
import { RenderError } from '../../src/renderer/image/render.errors.js';
import { gravity as grammar } from '../../src/transformations/gravity.js';

type Rgba = readonly [number, number, number, number];

const WHITE: Rgba = [255, 255, 255, 255];
const RED: Rgba = [255, 0, 0, 255];
const BLUE: Rgba = [0, 0, 255, 255];
const CLEAR: Rgba = [0, 0, 0, 0];

function filled(width: number, height: number, colour: Rgba): Frame {
  return { width, height, pixels: Buffer.alloc(width * height * 4, Buffer.from(colour)) };
}

const still = (frame: Frame): RasterImage => ({ frames: [frame], delays: [], loop: 0 });
const plain = (width: number, height: number, colour: Rgba): RasterImage =>
  still(filled(width, height, colour));
const pixel = ({ frames: [{ width, pixels }] }: RasterImage, x: number, y: number): number[] => [
  ...pixels.subarray((y * width + x) * 4, (y * width + x) * 4 + 4),
];
const sizeOf = ({ frames: [{ width, height }] }: RasterImage): [number, number] => [width, height];

interface Loose extends Partial<Omit<Placement, 'flags'>> {
  readonly flags?: readonly string[];
}

const compose = (
  base: RasterImage,
  layer: RasterImage,
  { flags = [], ...rest }: Loose = {},
): Promise<RasterImage> => composeLayer(base, layer, { under: false, ...rest, flags: new Set(flags) });

/** The box of the pixels of one colour: left, top, width, height. */
function boxOf({ frames: [{ width, height, pixels }] }: RasterImage, colour: Rgba): number[] {
  const wanted = Buffer.from(colour).readUInt32LE();
  let [left, top, right, bottom, count] = [width, height, 0, 0, 0];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      if (pixels.readUInt32LE((y * width + x) * 4) !== wanted) continue;
      [left, top, right, bottom] = [
        Math.min(left, x),
        Math.min(top, y),
        Math.max(right, x + 1),
        Math.max(bottom, y + 1),
      ];
      count += 1;
    }
  }
  // All of the box is of the colour: nothing was drawn twice, or in part.
  expect(count).toBe((right - left) * (bottom - top));
  return [left, top, right - left, bottom - top];
}

describe('the position of a layer', () => {
  // A layer of 20 × 10 on 100 × 60; the offset is 7, 5.
  it.each<[string, number, number, number, number]>([
    ['north_west', 0, 0, 7, 5],
    ['north', 40, 0, 47, 5],
    ['north_east', 80, 0, 73, 5],
    ['west', 0, 25, 7, 30],
    ['center', 40, 25, 47, 30],
    ['east', 80, 25, 73, 30],
    ['south_west', 0, 50, 7, 45],
    ['south', 40, 50, 47, 45],
    ['south_east', 80, 50, 73, 45],
  ])(
    '%s is the edge, and an offset leads inwards from it',
    async (gravity, left, top, movedLeft, movedTop) => {
      const [base, layer] = [plain(100, 60, WHITE), plain(20, 10, RED)];
      expect(boxOf(await compose(base, layer, { gravity }), RED)).toEqual([left, top, 20, 10]);
      const moved = await compose(base, layer, { gravity, x: 7, y: 5 });
      expect(boxOf(moved, RED)).toEqual([movedLeft, movedTop, 20, 10]);
      expect(sizeOf(moved)).toEqual([100, 60]);
    },
  );

  it('is the center by default', async () => {
    expect(boxOf(await compose(plain(100, 60, WHITE), plain(20, 10, RED)), RED)).toEqual([40, 25, 20, 10]);
  });

  it('is around a point with xy_center', async () => {
    const result = await compose(plain(100, 60, WHITE), plain(20, 10, RED), {
      gravity: 'xy_center',
      x: 30,
      y: 20,
    });
    expect(boxOf(result, RED)).toEqual([20, 15, 20, 10]);
  });

  it.each(['face:center', 'faces:center', 'auto', 'auto:subject', 'custom', 'body', 'ocr_text'])(
    'is the center for %s, and is reported to the caller',
    async (gravity) => {
      expect(grammar.write(gravity)).toBe(gravity);
      expect(fallsBackToCenter(gravity)).toBe(true);
      expect(boxOf(await compose(plain(100, 60, WHITE), plain(20, 10, RED), { gravity }), RED)).toEqual([
        40, 25, 20, 10,
      ]);
    },
  );

  it.each(['nowhere', 'constructor', 'clipping_path_!x!'])('is refused as %s', async (gravity) => {
    await expect(compose(plain(9, 9, WHITE), plain(2, 2, RED), { gravity })).rejects.toThrow(
      new RenderError(400, `Gravity not supported for a layer: ${gravity}`),
    );
  });
});

describe('a layer that sticks out', () => {
  it.each<[string, Loose, [number, number], number[], number[]]>([
    ['to the right', { gravity: 'east', x: -15 }, [115, 60], [95, 25, 20, 10], [0, 0, 100, 60]],
    ['to the left', { gravity: 'west', x: -15 }, [115, 60], [0, 25, 20, 10], [15, 0, 100, 60]],
    ['below', { gravity: 'south', y: -4 }, [100, 64], [40, 54, 20, 10], [0, 0, 100, 60]],
    [
      'above and to the left',
      { gravity: 'north_west', x: -3, y: -4 },
      [103, 64],
      [0, 0, 20, 10],
      [3, 4, 100, 60],
    ],
    ['wholly', { gravity: 'north_west', x: 150 }, [170, 60], [150, 0, 20, 10], [0, 0, 100, 60]],
  ])('%s extends the canvas, as far as it needs', async (_, placement, size, box, baseBox) => {
    const result = await compose(plain(100, 60, BLUE), plain(20, 10, RED), placement);
    expect(sizeOf(result)).toEqual(size);
    expect(boxOf(result, RED)).toEqual(box);
    const [left = 0, top = 0, width = 0, height = 0] = baseBox;
    expect(pixel(result, left, top + height - 1)).toEqual(BLUE);
    expect(pixel(result, left + width - 1, top + height - 1)).toEqual(BLUE);
  });

  it('leaves what neither covers transparent', async () => {
    const result = await compose(plain(10, 10, BLUE), plain(4, 4, RED), { gravity: 'north_east', x: -4 });
    expect(pixel(result, 12, 8)).toEqual(CLEAR);
  });

  it('larger than the base in the middle extends it to all sides', async () => {
    const result = await compose(plain(10, 10, BLUE), plain(20, 16, RED));
    expect(sizeOf(result)).toEqual([20, 16]);
    expect(boxOf(result, RED)).toEqual([0, 0, 20, 16]);
  });

  it('is cut with no_overflow', async () => {
    const result = await compose(plain(100, 60, WHITE), plain(20, 10, RED), {
      gravity: 'south_east',
      x: -5,
      y: -5,
      flags: ['no_overflow'],
    });
    expect(sizeOf(result)).toEqual([100, 60]);
    expect(boxOf(result, RED)).toEqual([85, 55, 15, 5]);
    const outside = await compose(plain(9, 9, WHITE), plain(2, 2, RED), { x: 500, flags: ['no_overflow'] });
    expect(outside).toEqual(plain(9, 9, WHITE));
  });

  it('is refused with text_disallow_overflow', async () => {
    const place = (x: number): Promise<RasterImage> =>
      compose(plain(10, 10, WHITE), plain(4, 4, RED), {
        gravity: 'west',
        x,
        flags: ['text_disallow_overflow'],
      });
    await expect(place(-1)).rejects.toMatchObject({ status: 400 });
    expect(sizeOf(await place(6))).toEqual([10, 10]);
  });

  it('is refused where the canvas would pass the ceiling, before it is allocated', async () => {
    await expect(compose(plain(9, 9, WHITE), plain(2, 2, RED), { x: 65500, y: 65500 })).rejects.toMatchObject(
      {
        status: 400,
        message: expect.stringMatching(/^Maximum image size is \d+ Megapixels/) as string,
      },
    );
  });
});

describe('a ceiling of pixels', () => {
  it('holds for all frames of an animation together', async () => {
    const film: RasterImage = {
      frames: [filled(4, 4, WHITE), filled(4, 4, BLUE)],
      delays: [20, 30],
      loop: 2,
    };
    const grow = (mostPixels: number): Promise<RasterImage> =>
      compose(film, plain(8, 8, RED), { maxPixels: mostPixels, gravity: 'center' });
    expect((await grow(128)).frames).toHaveLength(2);
    await expect(grow(127)).rejects.toMatchObject({ status: 400 });
  });
});

describe('a tiled layer', () => {
  it('covers every pixel of the base, whatever the sizes, gravity and offset', async () => {
    const side = fc.integer({ min: 1, max: 40 });
    const offset = fc.integer({ min: -100, max: 100 });
    const gravity = fc.constantFrom(undefined, 'center', 'north_west', 'south_east', 'east', 'xy_center');
    await fc.assert(
      fc.asyncProperty(
        side,
        side,
        side,
        side,
        offset,
        offset,
        gravity,
        async (width, height, w, h, x, y, g) => {
          const result = await compose(plain(width, height, WHITE), plain(w, h, RED), {
            x,
            y,
            flags: ['tiled'],
            ...(g === undefined ? {} : { gravity: g }),
          });
          expect(result).toEqual(plain(width, height, RED));
        },
      ),
    );
  });

  it('repeats the layer without gaps from where it would lie once', async () => {
    // A tile whose every pixel is different.
    const tile = filled(5, 3, WHITE);
    for (let at = 0; at < 15; at += 1) tile.pixels.set([at * 10, at, 200, 255], at * 4);
    for (const [placement, left, top] of [
      [{}, 0, 0],
      [{ gravity: 'north_west', x: 2, y: 1 }, 2, 1],
      [{ gravity: 'south_east' }, 23 - 5, 17 - 3],
      [{ gravity: 'center' }, 9, 7],
    ] as const) {
      const result = await compose(plain(23, 17, WHITE), still(tile), { ...placement, flags: ['tiled'] });
      for (let y = 0; y < 17; y += 1) {
        for (let x = 0; x < 23; x += 1) {
          const [column, line] = [(x - left + 25) % 5, (y - top + 15) % 3];
          expect(pixel(result, x, y)).toEqual(pixel(still(tile), column, line));
        }
      }
    }
  });

  it('larger than the base is cut to it', async () => {
    expect(await compose(plain(6, 5, WHITE), plain(50, 40, RED), { flags: ['tiled'] })).toEqual(
      plain(6, 5, RED),
    );
  });

  it('keeps its gaps', async () => {
    const tile = filled(2, 1, CLEAR);
    tile.pixels.set(RED, 0);
    const result = await compose(plain(4, 1, BLUE), still(tile), { flags: ['tiled'] });
    expect([0, 1, 2, 3].map((x) => pixel(result, x, 0))).toEqual([RED, BLUE, RED, BLUE]);
  });
});

describe('how a layer meets the base', () => {
  it.each([
    [100, RED],
    [50, [255, 127, 127, 255]],
    [0, WHITE],
  ] as const)('opacity %i', async (opacity, expected) => {
    const result = pixel(await compose(plain(3, 3, WHITE), plain(1, 1, RED), { opacity }), 1, 1);
    for (const [at, value] of expected.entries()) expect(Math.abs((result[at] ?? 0) - value)).toBeLessThan(2);
  });

  it.each<[string, Rgba, Rgba, Rgba]>([
    ['opaque over opaque', WHITE, RED, RED],
    ['half over opaque', [0, 0, 0, 255], [255, 0, 0, 128], [128, 0, 0, 255]],
    ['half over nothing keeps its color', CLEAR, [255, 100, 0, 128], [255, 100, 0, 128]],
    ['nothing over half', [9, 8, 7, 128], CLEAR, [9, 8, 7, 128]],
    ['half over half', [0, 0, 255, 128], [255, 0, 0, 128], [170, 0, 85, 192]],
  ])('%s', async (_, below, above, expected) => {
    expect(pixel(await compose(plain(1, 1, below), plain(1, 1, above)), 0, 0)).toEqual(expected);
  });

  it.each<[string, Rgba, Rgba, Rgba]>([
    ['multiply', [200, 100, 50, 255], [128, 255, 0, 255], [100, 100, 0, 255]],
    ['multiply', [200, 100, 50, 255], CLEAR, [200, 100, 50, 255]],
    ['multiply', CLEAR, [200, 100, 50, 255], [200, 100, 50, 255]],
    ['screen', [200, 100, 50, 255], [128, 255, 0, 255], [228, 255, 50, 255]],
    ['overlay', [51, 204, 128, 255], [102, 102, 255, 255], [41, 194, 255, 255]],
  ])('e_%s of %j and %j', async (effect, below, above, expected) => {
    expect(pixel(await compose(plain(1, 1, below), plain(1, 1, above), { effect }), 0, 0)).toEqual(expected);
  });

  const stencil = filled(4, 1, CLEAR);
  stencil.pixels.set([...RED, ...WHITE, 0, 0, 0, 255], 4);

  it('cutter keeps the base where the layer is opaque, and nothing else', async () => {
    const result = await compose(plain(8, 1, BLUE), still(stencil), {
      gravity: 'west',
      x: 1,
      flags: ['cutter'],
    });
    expect(sizeOf(result)).toEqual([8, 1]);
    expect([0, 1, 2, 3, 4, 5].map((x) => pixel(result, x, 0)[3])).toEqual([0, 0, 255, 255, 255, 0]);
    expect(pixel(result, 2, 0)).toEqual(BLUE);
  });

  it('cut_out is the opposite', async () => {
    const result = await compose(plain(8, 1, BLUE), still(stencil), {
      gravity: 'west',
      x: 1,
      effect: 'cut_out',
    });
    expect([0, 1, 2, 3, 4, 5].map((x) => pixel(result, x, 0)[3])).toEqual([255, 255, 0, 0, 0, 255]);
  });

  it('mask shows the base where the layer is white, and hides it where it is black or not there', async () => {
    const result = await compose(plain(8, 1, BLUE), still(stencil), {
      gravity: 'west',
      x: 1,
      effect: 'mask',
    });
    expect([0, 1, 2, 3, 4, 5].map((x) => pixel(result, x, 0)[3])).toEqual([0, 0, 54, 255, 0, 0]);
  });

  it('a cutter that sticks out extends nothing', async () => {
    const result = await compose(plain(4, 4, BLUE), plain(40, 40, RED), { flags: ['cutter'] });
    expect(result).toEqual(plain(4, 4, BLUE));
  });

  it('anti_removal changes the layer a little, the same way each time', async () => {
    const roughen = (level: string): Promise<RasterImage> =>
      compose(plain(30, 30, WHITE), plain(20, 20, RED), { effect: `anti_removal${level}` });
    const result = await roughen(':50');
    expect(result).toEqual(await roughen(''));
    expect(result).not.toEqual(await compose(plain(30, 30, WHITE), plain(20, 20, RED)));
    const [red = 0, green = 0] = pixel(result, 15, 15);
    expect(red).toBe(255);
    expect(green).toBeLessThan(60);
  });

  it.each([
    [{ flags: ['region_relative'] }, /region_relative/],
    [{ flags: ['replace_image'] }, /replace_image/],
    [{ effect: 'displace' }, /displace/],
    [{ effect: 'sepia:50' }, /sepia/],
  ])('%j is refused by name', async (placement, message) => {
    const result = compose(plain(2, 2, WHITE), plain(1, 1, RED), placement);
    await expect(result).rejects.toThrow(message);
    await expect(result).rejects.toMatchObject({ status: 400 });
  });

  it('distinguishes the effects of two images from those of one', () => {
    for (const name of ['multiply', 'screen', 'overlay', 'mask', 'cut_out', 'anti_removal:9']) {
      expect(isLayerEffect(name)).toBe(true);
    }
    for (const name of ['sepia', 'displace', '', 'constructor']) expect(isLayerEffect(name)).toBe(false);
  });
});

describe('an underlay', () => {
  it('shows where the base is transparent', async () => {
    const result = await compose(plain(4, 4, [255, 0, 0, 0]), plain(4, 4, BLUE), { under: true });
    expect(result).toEqual(plain(4, 4, BLUE));
    expect(await compose(plain(4, 4, RED), plain(4, 4, BLUE), { under: true })).toEqual(plain(4, 4, RED));
  });

  it.each<[Loose, number[]]>([
    [{}, [30, 20, 40, 20]],
    [{ gravity: 'north_west' }, [0, 0, 40, 20]],
    [{ gravity: 'south_east', x: 5, y: 6 }, [55, 34, 40, 20]],
  ])('larger than the base is the canvas on which the base is placed: %j', async (placement, box) => {
    const result = await compose(plain(40, 20, RED), plain(100, 60, BLUE), { under: true, ...placement });
    expect(sizeOf(result)).toEqual([100, 60]);
    expect(boxOf(result, RED)).toEqual(box);
    expect(pixel(result, 50, 50)).toEqual(BLUE);
  });

  it('is cut to the base with no_overflow, and covers it when tiled', async () => {
    const base = plain(4, 4, [255, 0, 0, 0]);
    for (const flag of ['no_overflow', 'tiled']) {
      expect(await compose(base, plain(9, 9, BLUE), { under: true, flags: [flag] })).toEqual(
        plain(4, 4, BLUE),
      );
    }
    expect(await compose(base, plain(3, 1, BLUE), { under: true, flags: ['tiled'] })).toEqual(
      plain(4, 4, BLUE),
    );
  });
});

describe('animations', () => {
  const film: RasterImage = { frames: [filled(4, 4, WHITE), filled(4, 4, BLUE)], delays: [20, 30], loop: 2 };

  it('get the layer on each frame', async () => {
    const result = await compose(film, plain(2, 2, RED), { gravity: 'east', x: -1 });
    expect(result).toMatchObject({ delays: [20, 30], loop: 2 });
    expect(result.frames.map(({ width }) => width)).toEqual([5, 5]);
    for (const frame of result.frames) expect(pixel(still(frame), 4, 1)).toEqual(RED);
  });

  it('as a layer show their first frame', async () => {
    const result = await compose(plain(4, 4, RED), film);
    expect(result).toEqual(plain(4, 4, WHITE));
  });

  it('are not written to', async () => {
    const before = film.frames.map(({ pixels }) => Buffer.from(pixels));
    for (const flags of [[], ['tiled'], ['cutter'], ['no_overflow']])
      await compose(film, plain(2, 2, RED), { flags });
    expect(film.frames.map(({ pixels }) => pixels)).toEqual(before);
  });
});
