import type { Frame } from '../raster-image.js';
import type { Matrix3x3 } from 'sharp';
import { type FilteredEffect, type FrameEffect, level, paintOf } from './effect-context.js';
import { parsePaint } from './paint.js';
import { luma, mapChannels, mapPixels, table, toByte } from './pixels.js';

/** Effects that look at one pixel at a time. */

/** Three rows of three factors: the sources of each channel. */
type Matrix = readonly [Row, Row, Row];
type Row = readonly [number, number, number];

const IDENTITY: Matrix = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];

function mapByMatrix(frame: Frame, [forRed, forGreen, forBlue]: Matrix): Frame {
  const [a, b, c] = forRed;
  const [d, e, f] = forGreen;
  const [g, h, i] = forBlue;
  return mapPixels(frame, (red, green, blue, out) => {
    out[0] = a * red + b * green + c * blue;
    out[1] = d * red + e * green + f * blue;
    out[2] = g * red + h * green + i * blue;
  });
}

/** libvips truncates: half a step more rounds. */
const HALVES = [0.5, 0.5, 0.5];

const ofMatrix = (matrixOf: (args: readonly string[]) => Matrix): FilteredEffect => ({
  apply: (frame, args) => mapByMatrix(frame, matrixOf(args)),
  filter: (args) => (pipeline) => pipeline.recomb(mutable(matrixOf(args))).linear([1, 1, 1], HALVES),
});

/** As sharp's types have it. */
const mutable = ([one, two, three]: Matrix): Matrix3x3 => [[...one], [...two], [...three]];

/** Interpolates two matrices: 0 is the first, 1 the second; extrapolates beyond. */
const between = (from: Matrix, to: Matrix, share: number): Matrix => {
  const row = (index: 0 | 1 | 2): Row => {
    const at = (column: 0 | 1 | 2): number =>
      from[index][column] + (to[index][column] - from[index][column]) * share;
    return [at(0), at(1), at(2)];
  };
  return [row(0), row(1), row(2)];
};

const GRAY: Matrix = [
  [0.2126, 0.7152, 0.0722],
  [0.2126, 0.7152, 0.0722],
  [0.2126, 0.7152, 0.0722],
];
/** https://www.w3.org/TR/filter-effects-1/#sepiaEquivalent */
const SEPIA: Matrix = [
  [0.393, 0.769, 0.189],
  [0.349, 0.686, 0.168],
  [0.272, 0.534, 0.131],
];

export const grayscale = ofMatrix(() => GRAY);

export const blackwhite: FrameEffect = (frame, args) => {
  const threshold = (255 * level(args, 50)) / 100;
  return mapPixels(frame, (red, green, blue, out) => {
    // Rounded, since the luma of white is slightly below 255.
    out.fill(Math.round(luma(red, green, blue)) >= threshold ? 255 : 0);
  });
};

export const sepia = ofMatrix((args) => between(IDENTITY, SEPIA, level(args, 80) / 100));

export const negate: FilteredEffect = {
  apply: (frame) =>
    mapChannels(
      frame,
      table((value) => 255 - value),
    ),
  filter: () => (pipeline) => pipeline.negate({ alpha: false }),
};

export const brightness = ofMatrix((args) => {
  const factor = 1 + level(args, 80) / 100;
  return [
    [factor, 0, 0],
    [0, factor, 0],
    [0, 0, factor],
  ];
});

/** Scales the brightness of hue, saturation, brightness: the hue stays where a channel would overflow. */
export const brightnessHsb: FrameEffect = (frame, args) => {
  const factor = 1 + level(args, 80) / 100;
  return mapPixels(frame, (red, green, blue, out) => {
    const brightest = Math.max(red, green, blue);
    const scale = brightest * factor > 255 ? 255 / brightest : factor;
    out[0] = red * scale;
    out[1] = green * scale;
    out[2] = blue * scale;
  });
};

/** `<level>[:sigmoidal]`, `<level>:linear`, or the same by name: `level_<n>;type_<word>`. */
function contrastArguments(args: readonly string[]): { amount: number | undefined; linear: boolean } {
  const parts = args.flatMap((arg) => arg.split(';')).map((part) => part.replace(/^(?:level|type)_/, ''));
  const amount = parts.find((part) => /^-?\d/.test(part));
  return {
    amount: amount === undefined ? undefined : Number(amount),
    linear: parts.includes('linear'),
  };
}

/** Steepness of the sigmoidal curve at level 100. */
const STEEPEST = 10;

export const contrast: FrameEffect = (frame, args) => {
  const { amount, linear } = contrastArguments(args);
  if (linear) {
    const factor = (amount ?? 100) / 100;
    return mapChannels(
      frame,
      table((value) => (value - 127.5) * factor + 127.5),
    );
  }
  const steepness = (STEEPEST * (amount ?? 0)) / 100;
  if (steepness === 0) return frame;
  // ImageMagick's -sigmoidal-contrast around the middle, and its inverse.
  const beta = Math.abs(steepness);
  const sigmoid = (share: number): number => 1 / (1 + Math.exp(beta * (0.5 - share)));
  const [lowest, highest] = [sigmoid(0), sigmoid(1)];
  const more = (share: number): number => (sigmoid(share) - lowest) / (highest - lowest);
  const less = (share: number): number =>
    0.5 - Math.log(1 / (share * (highest - lowest) + lowest) - 1) / beta;
  return mapChannels(
    frame,
    table((value) => 255 * (steepness > 0 ? more : less)(value / 255)),
  );
};

export const saturation = ofMatrix((args) => between(GRAY, IDENTITY, 1 + level(args, 80) / 100));

/** Rotates the hue of hue, saturation, lightness; 100 and -100 are both half a turn. */
export const hue: FrameEffect = (frame, args) => {
  const turn = (level(args, 80) / 200) * 6;
  return mapPixels(frame, (red, green, blue, out) => {
    const most = Math.max(red, green, blue);
    const least = Math.min(red, green, blue);
    const chroma = most - least;
    const sector =
      chroma === 0
        ? 0
        : most === red
          ? (green - blue) / chroma
          : most === green
            ? (blue - red) / chroma + 2
            : (red - green) / chroma + 4;
    for (let channel = 0; channel < 3; channel += 1) {
      // Distance of the rotated hue to the channel's own: full within one sector, zero after two.
      const away = Math.abs(((((sector + turn - channel * 2 + 3) % 6) + 6) % 6) - 3);
      out[channel] = least + chroma * Math.min(1, Math.max(0, 2 - away));
    }
  });
};

export const gamma: FrameEffect = (frame, args) => {
  const exponent = 1 / (1 + level(args, 0) / 100);
  return mapChannels(
    frame,
    table((value) => 255 * (value / 255) ** exponent),
  );
};

/** Saturation with less effect on colours that are already saturated. */
export const vibrance: FrameEffect = (frame, args) => {
  const amount = level(args, 20) / 100;
  return mapPixels(frame, (red, green, blue, out) => {
    const saturated = (Math.max(red, green, blue) - Math.min(red, green, blue)) / 255;
    const factor = 1 + amount * (1 - saturated);
    const gray = luma(red, green, blue);
    out[0] = gray + (red - gray) * factor;
    out[1] = gray + (green - gray) * factor;
    out[2] = gray + (blue - gray) * factor;
  });
};

/** Scales one channel: 100 doubles it, -100 removes it. */
export const channelLevel =
  (channel: 0 | 1 | 2): FrameEffect =>
  (frame, args) => {
    const factor = 1 + level(args, 0) / 100;
    const same = table((value) => value);
    const scaled = table((value) => value * factor);
    const pick = (index: number): Uint8Array => (index === channel ? scaled : same);
    return mapChannels(frame, pick(0), pick(1), pick(2));
  };

export const colorize: FrameEffect = (frame, args, context) => {
  const share = level(args, 100) / 100;
  const { red, green, blue } = paintOf(context, 'gray');
  const towards = (part: number): Uint8Array => table((value) => value + (part - value) * share);
  return mapChannels(frame, towards(red), towards(green), towards(blue));
};

/** A colour at its position between black (0) and white (1). */
interface Stop {
  readonly at: number;
  readonly parts: readonly [number, number, number];
}

function tintStops(args: readonly string[]): Stop[] {
  const stops: { parts: [number, number, number]; at: number | undefined }[] = [];
  for (const arg of args) {
    const last = stops.at(-1);
    if (/^\d+p$/.test(arg) && last) {
      last.at = Number(arg.slice(0, -1)) / 100;
    } else {
      const { red, green, blue } = parsePaint(arg);
      stops.push({ parts: [red, green, blue], at: undefined });
    }
  }
  // A single colour would give a flat area: it is placed in the middle, between black and white.
  const [only] = stops;
  if (only && stops.length === 1) {
    return [
      { at: 0, parts: [0, 0, 0] },
      { at: only.at ?? 0.5, parts: only.parts },
      { at: 1, parts: [255, 255, 255] },
    ];
  }
  return stops
    .map(({ at, parts }, index) => ({ at: at ?? index / (stops.length - 1), parts }))
    .sort((one, other) => one.at - other.at);
}

/** The colour for each luma of 0 to 255. */
function gradient(stops: readonly Stop[]): readonly [Uint8Array, Uint8Array, Uint8Array] {
  const channel = (index: 0 | 1 | 2): Uint8Array =>
    table((value) => {
      const share = value / 255;
      const after = stops.findIndex(({ at }) => at >= share);
      const next = stops[after < 0 ? stops.length - 1 : after];
      const previous = stops[Math.max(0, (after < 0 ? stops.length : after) - 1)];
      if (!next || !previous) return value;
      const room = next.at - previous.at;
      const way = room > 0 ? Math.min(1, Math.max(0, (share - previous.at) / room)) : 1;
      return previous.parts[index] + (next.parts[index] - previous.parts[index]) * way;
    });
  return [channel(0), channel(1), channel(2)];
}

/** Ranks of lumas: with it, each shade covers as much of the image as any other. */
function equalizer({ pixels }: Frame): Uint8Array {
  const counts = new Float64Array(256);
  for (let at = 0; at < pixels.length; at += 4) {
    const shade = Math.round(luma(pixels[at] ?? 0, pixels[at + 1] ?? 0, pixels[at + 2] ?? 0));
    counts[shade] = (counts[shade] ?? 0) + 1;
  }
  let below = 0;
  return table((value) => {
    below += counts[value] ?? 0;
    return (below * 255) / (pixels.length / 4);
  });
}

/** A number of the vocabulary has no leading zero, so `012` and `111` are colours. */
const AMOUNT = /^(?:0|[1-9]\d?|100)(?:\.\d+)?$/;

/** `[equalize:][<amount>:]<color>[:<place>p]…`: a gradient over the lightness, blended in. */
export const tint: FrameEffect = (frame, args) => {
  const rest = [...args];
  const equalize = rest[0] === 'equalize' && rest.shift() !== undefined;
  const amount = AMOUNT.test(rest[0] ?? '') ? Number(rest.shift()) : 60;
  const ranks = equalize ? equalizer(frame) : undefined;
  const [reds, greens, blues] = gradient(tintStops(rest.length > 0 ? rest : ['red', 'blue', 'yellow']));
  const share = amount / 100;
  return mapPixels(frame, (red, green, blue, out) => {
    const shade = Math.round(luma(red, green, blue));
    const rank = ranks?.[shade] ?? shade;
    out[0] = red + ((reds[rank] ?? 0) - red) * share;
    out[1] = green + ((greens[rank] ?? 0) - green) * share;
    out[2] = blue + ((blues[rank] ?? 0) - blue) * share;
  });
};

/** Rows of 3 for red, green and blue, or of 4 with alpha, which is then computed from all four channels too. */
export const recolor: FrameEffect = (frame, args) => {
  const side = args.length === 16 ? 4 : 3;
  const factors = args.map(Number);
  const source = frame.pixels;
  const pixels = Buffer.from(source);
  for (let at = 0; at < pixels.length; at += 4) {
    for (let row = 0; row < side; row += 1) {
      let sum = 0;
      for (let column = 0; column < side; column += 1) {
        sum += (factors[row * side + column] ?? 0) * (source[at + column] ?? 0);
      }
      pixels[at + row] = toByte(sum);
    }
  }
  return { ...frame, pixels };
};

/**
 * Simulates colour vision deficiencies: common approximations of Machado, Oliveira and Fernandes (2009) and of the
 * "color matrix library" for the anomalies.
 */
const COLORBLIND: ReadonlyMap<string, Matrix> = new Map<string, Matrix>([
  [
    'deuteranopia',
    [
      [0.367322, 0.860646, -0.227968],
      [0.280085, 0.672501, 0.047413],
      [-0.01182, 0.04294, 0.968881],
    ],
  ],
  [
    'protanopia',
    [
      [0.152286, 1.052583, -0.204868],
      [0.114503, 0.786281, 0.099216],
      [-0.003882, -0.048116, 1.051998],
    ],
  ],
  [
    'tritanopia',
    [
      [1.255528, -0.076749, -0.178779],
      [-0.078411, 0.930809, 0.147602],
      [0.004733, 0.691367, 0.3039],
    ],
  ],
  [
    'tritanomaly',
    [
      [0.967, 0.033, 0],
      [0, 0.733, 0.267],
      [0, 0.183, 0.817],
    ],
  ],
  [
    'deuteranomaly',
    [
      [0.8, 0.2, 0],
      [0.258, 0.742, 0],
      [0, 0.142, 0.858],
    ],
  ],
  [
    'rod_monochromacy',
    [
      [0.299, 0.587, 0.114],
      [0.299, 0.587, 0.114],
      [0.299, 0.587, 0.114],
    ],
  ],
  [
    'cone_monochromacy',
    [
      [0.618, 0.32, 0.062],
      [0.163, 0.775, 0.062],
      [0.163, 0.32, 0.516],
    ],
  ],
]);

export const simulateColorblind = ofMatrix(([kind = 'deuteranopia']) => COLORBLIND.get(kind) ?? IDENTITY);

/** Lightens shadows; black, white and the highlights stay. */
export const fillLight: FrameEffect = (frame, args) => {
  const amount = level(args, 100) / 100;
  const bias = Number(args[1] ?? 0) / 100;
  return mapChannels(
    frame,
    table((value) => {
      const share = value / 255;
      // A positive bias reaches further into the middle tones.
      const shadow = (1 - share) ** (2 - bias);
      return 255 * (share + amount * share * shadow);
    }),
  );
};
