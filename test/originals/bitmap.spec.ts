import { describe, expect, it } from 'vitest';
import { decodeBitmap, readBitmapHeader } from '../../src/originals/conversion/bitmap.js';
import type { ConversionError } from '../../src/originals/conversion/conversion.js';
import { DECODERS } from '../../src/originals/conversion/decoders.js';
import { type BitmapParts, makeBmpOf, makeDib, makeIcoOf } from './bitmaps.js';

const [RED, GREEN, BLUE, WHITE] = [
  [255, 0, 0],
  [0, 255, 0],
  [0, 0, 255],
  [255, 255, 255],
] as const;
const CLEAR = [0, 0, 0, 0];
const opaque = (...colors: readonly (readonly number[])[]): number[] =>
  colors.flatMap((color) => [...color, 255]);

const decode = async (format: 'bmp' | 'ico', content: Buffer, maxPixels = 1e6): Promise<unknown[]> => {
  const {
    width,
    height,
    content: pixels,
  } = await DECODERS[format]({
    ...{ format, content, page: 0, density: 150, maxPixels },
  });
  return [width, height, [...pixels]];
};
const reasonOf = async (format: 'bmp' | 'ico', content: Buffer, maxPixels?: number): Promise<string> => {
  try {
    await decode(format, content, maxPixels);
    return 'decoded';
  } catch (error) {
    return error instanceof RangeError ? 'truncated' : (error as ConversionError).detail;
  }
};

/** Red and green above blue and white, in each way of storing them. */
const SQUARES: readonly (readonly [name: string, parts: BitmapParts])[] = [
  [
    '24 bits',
    {
      width: 2,
      height: 2,
      bits: 24,
      rows: [
        [255, 0, 0, 255, 255, 255],
        [0, 0, 255, 0, 255, 0],
      ],
    },
  ],
  [
    '24 bits, the first row on top',
    {
      width: 2,
      height: -2,
      bits: 24,
      rows: [
        [0, 0, 255, 0, 255, 0],
        [255, 0, 0, 255, 255, 255],
      ],
    },
  ],
  [
    '24 bits with a palette that it only suggests',
    {
      width: 2,
      height: 2,
      bits: 24,
      colors: [RED, BLUE],
      rows: [
        [255, 0, 0, 255, 255, 255],
        [0, 0, 255, 0, 255, 0],
      ],
    },
  ],
  [
    '32 bits whose fourth byte is not used',
    {
      width: 2,
      height: 2,
      bits: 32,
      rows: [
        [255, 0, 0, 0, 255, 255, 255, 0],
        [0, 0, 255, 0, 0, 255, 0, 0],
      ],
    },
  ],
  [
    '32 bits with masks',
    {
      width: 2,
      height: 2,
      bits: 32,
      compression: 3,
      masks: [0xff0000, 0xff00, 0xff],
      rows: [
        [255, 0, 0, 0, 255, 255, 255, 0],
        [0, 0, 255, 0, 0, 255, 0, 0],
      ],
    },
  ],
  [
    '32 bits with masks in another order',
    {
      width: 2,
      height: 2,
      bits: 32,
      headerSize: 108,
      compression: 3,
      masks: [0xff, 0xff00, 0xff0000, 0],
      rows: [
        [0, 0, 255, 0, 255, 255, 255, 0],
        [255, 0, 0, 0, 0, 255, 0, 0],
      ],
    },
  ],
  [
    '32 bits with an alpha that is 0 everywhere',
    {
      width: 2,
      height: 2,
      bits: 32,
      headerSize: 124,
      compression: 3,
      masks: [0xff0000, 0xff00, 0xff, 0xff000000],
      rows: [
        [255, 0, 0, 0, 255, 255, 255, 0],
        [0, 0, 255, 0, 0, 255, 0, 0],
      ],
    },
  ],
  [
    '16 bits',
    {
      width: 2,
      height: 2,
      bits: 16,
      rows: [
        [0x1f, 0, 0xff, 0x7f],
        [0, 0x7c, 0xe0, 0x03],
      ],
    },
  ],
  [
    '16 bits with masks of 5, 6 and 5',
    {
      width: 2,
      height: 2,
      bits: 16,
      compression: 3,
      masks: [0xf800, 0x7e0, 0x1f],
      rows: [
        [0x1f, 0, 0xff, 0xff],
        [0, 0xf8, 0xe0, 0x07],
      ],
    },
  ],
  [
    '8 bits',
    {
      width: 2,
      height: 2,
      bits: 8,
      colors: [RED, GREEN, BLUE, WHITE],
      rows: [
        [2, 3],
        [0, 1],
      ],
    },
  ],
  ['4 bits', { width: 2, height: 2, bits: 4, colors: [RED, GREEN, BLUE, WHITE], rows: [[0x23], [0x01]] }],
];

describe('a BMP', () => {
  it.each(SQUARES)('of %s is decoded', async (_, parts) => {
    expect(await decode('bmp', makeBmpOf(parts))).toEqual([2, 2, opaque(RED, GREEN, BLUE, WHITE)]);
  });

  it('of 1 bit is decoded, 10 pixels wide', async () => {
    const body = makeBmpOf({
      width: 10,
      height: 1,
      bits: 1,
      colors: [WHITE, BLUE],
      rows: [[0b01010101, 0b01000000]],
    });
    const pair = [WHITE, BLUE];
    expect(await decode('bmp', body)).toEqual([10, 1, opaque(...pair, ...pair, ...pair, ...pair, ...pair)]);
  });

  it('keeps alpha that its masks name', async () => {
    const masks = [0xff0000, 0xff00, 0xff, 0xff000000];
    const parts = {
      width: 2,
      height: 1,
      bits: 32,
      headerSize: 108,
      compression: 3,
      masks,
      rows: [[0, 0, 255, 128, 255, 0, 0, 0]],
    };
    expect(await decode('bmp', makeBmpOf(parts))).toEqual([2, 1, [...RED, 128, ...BLUE, 0]]);
  });

  it('shows black where a palette has no such color', async () => {
    const parts = { width: 1, height: 1, bits: 8, colors: [RED], rows: [[7]] };
    expect(await decode('bmp', makeBmpOf(parts))).toEqual([1, 1, [0, 0, 0, 255]]);
  });

  const SQUARE = makeBmpOf(SQUARES[0]?.[1] ?? ({} as BitmapParts));
  it.each([
    ['of OS/2', 'BMP of OS/2', SQUARE.toString('latin1').replace('\x28', '\x0c')],
    ['of 2 bits', 'BMP of 2 bits', makeBmpOf({ width: 1, height: 1, bits: 2, rows: [[0]] })],
    ['of runs', 'compressed BMP', makeBmpOf({ width: 1, height: 1, bits: 8, compression: 1, rows: [[0]] })],
    [
      'with masks of 24 bits',
      'compressed BMP',
      makeBmpOf({ width: 1, height: 1, bits: 24, compression: 3, masks: [1, 2, 3], rows: [[0, 0, 0]] }),
    ],
    ['without a width', '0 × 1 pixels', makeBmpOf({ width: 0, height: 1, bits: 24, rows: [] })],
    ['of a negative width', '-1 × 1 pixels', makeBmpOf({ width: -1, height: 1, bits: 24, rows: [] })],
    ['without its last byte', 'truncated', SQUARE.subarray(0, -1)],
    ['without its pixels', 'truncated', SQUARE.subarray(0, 54)],
    ['without its header', 'truncated', SQUARE.subarray(0, 30)],
    ['with pixels behind its end', 'truncated', Buffer.from(SQUARE).fill(0xff, 10, 14)],
    ['with a palette behind its end', 'truncated', Buffer.from(SQUARE).fill(0xff, 46, 50)],
  ])('%s is refused: %s', async (_, reason, body) => {
    expect(await reasonOf('bmp', typeof body === 'string' ? Buffer.from(body, 'latin1') : body)).toBe(reason);
  });

  it('of too many pixels is refused before it is decoded', async () => {
    const body = makeBmpOf({ width: 60_000, height: 60_000, bits: 24, rows: [] });
    expect(await reasonOf('bmp', body)).toMatch(/^The image has 60000 × 60000 pixels/);
  });

  it('is never read beyond its end, wherever its bytes lie in memory', () => {
    const memory = Buffer.alloc(4_096, 7);
    const cut = memory.subarray(64, 64 + SQUARE.copy(memory, 64, 0, 60));
    expect(() => decodeBitmap(cut, readBitmapHeader(cut, 14, false), 54, false)).toThrow(RangeError);
  });
});

describe('an ICO', () => {
  const MASK = Buffer.from([0b10000000, 0, 0, 0, 0, 0, 0, 0]);
  const icon = (parts: BitmapParts): Buffer => makeIcoOf(makeDib({ ...parts, height: parts.height * 2 }));

  it.each(SQUARES.filter(([, { height }]) => height > 0))(
    'of %s is transparent where its mask is',
    async (_, parts) => {
      const visible = opaque(RED, GREEN, BLUE, WHITE);
      // The first row of the mask is the lower one.
      visible[8 + 3] = 0;
      expect(await decode('ico', icon({ ...parts, after: MASK }))).toEqual([2, 2, visible]);
    },
  );

  it('of 32 bits has alpha, and its mask is not used', async () => {
    const parts = {
      width: 2,
      height: 1,
      bits: 32,
      rows: [[0, 0, 255, 128, 0, 0, 0, 0]],
      after: Buffer.alloc(4, 255),
    };
    expect(await decode('ico', icon(parts))).toEqual([2, 1, [...RED, 128, ...CLEAR]]);
  });

  it('shows its largest image, and of two the one of more bits; the others are not decoded', async () => {
    const plain = { width: 1, height: 2, bits: 24, after: Buffer.alloc(4) };
    const [small, one, other] = [
      makeDib({ ...plain, rows: [] }),
      makeDib({ width: 1, height: 4, bits: 8, colors: [BLUE], rows: [[0], [0]], after: Buffer.alloc(8) }),
      makeDib({
        ...plain,
        height: 4,
        rows: [
          [0, 0, 255],
          [0, 0, 255],
        ],
        after: Buffer.alloc(8),
      }),
    ];
    expect(await decode('ico', makeIcoOf(small, one, other, one))).toEqual([1, 2, opaque(RED, RED)]);
  });

  const DIB = makeDib({ width: 1, height: 2, bits: 24, rows: [[0, 0, 255]], after: Buffer.alloc(4) });
  const ICON = makeIcoOf(DIB);
  const past = (size: number, offset: number): Buffer => {
    const body = Buffer.from(ICON);
    body.writeUInt32LE(size, 14);
    body.writeUInt32LE(offset, 18);
    return body;
  };
  it.each([
    ['of nothing', 'ICO without an image', makeIcoOf()],
    ['with a directory behind its end', 'truncated', ICON.subarray(0, 10)],
    ['with an image behind its end', 'truncated', past(1_064, 22)],
    ['with an image far behind its end', 'truncated', past(0xffffffff, 0xffffffff)],
    ['with an image of nothing', 'truncated', past(0, 22)],
    ['without its mask', 'truncated', makeIcoOf(DIB.subarray(0, -4))],
    [
      'with a PNG that is cut off',
      'truncated',
      makeIcoOf(Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'latin1')),
    ],
    ['without a height', '1 × 0 pixels', makeIcoOf(makeDib({ width: 1, height: 1, bits: 24, rows: [] }))],
  ])('%s is refused: %s', async (_, reason, body) => {
    expect(await reasonOf('ico', body)).toBe(reason);
  });
});
