import type { RasterImage } from '../raster-image.js';
import { fade, loop } from './animation-effects.js';
import * as area from './area-effects.js';
import * as artistic from './artistic-effects.js';
import * as color from './color-effects.js';
import type { FilteredEffect, FrameEffect } from './effect-context.js';
import * as levels from './level-effects.js';
import * as region from './region-effects.js';
import * as shape from './shape-effects.js';
import * as warp from './warp-effects.js';

/**
 * `exact`: the documentation defines each pixel. `approximate`: it defines the effect and its range, and the
 * computation is our own choice.
 */
export type Fidelity = 'exact' | 'approximate';

interface EffectBase {
  readonly fidelity: Fidelity;
  /** Describes the computation for people; the arguments' range is the vocabulary's. */
  readonly rule: string;
  /** The source of the rule. */
  readonly source: string;
  /** Arguments of the vocabulary that are not implemented. */
  readonly missingArguments?: readonly string[];
}

interface FrameKind extends EffectBase, Partial<FilteredEffect> {
  readonly kind: 'frame';
  readonly apply: FrameEffect;
}

interface ImageKind extends EffectBase {
  readonly kind: 'image';
  readonly apply: (image: RasterImage, args: readonly string[]) => RasterImage | Promise<RasterImage>;
}

/** An effect: on each frame, or on the image as a whole. */
export type ImplementedEffect = FrameKind | ImageKind;

const reference = (name: string): string =>
  `https://cloudinary.com/documentation/transformation_reference#e_${name}`;

const ofFrame = (
  name: string,
  fidelity: Fidelity,
  rule: string,
  effect: FrameEffect | FilteredEffect,
  missingArguments: readonly string[] = [],
): [string, ImplementedEffect] => [
  name,
  {
    ...{ kind: 'frame', fidelity, rule, source: reference(name), missingArguments },
    ...(typeof effect === 'function' ? { apply: effect } : effect),
  },
];

const ofImage = (
  name: string,
  fidelity: Fidelity,
  rule: string,
  apply: ImageKind['apply'],
): [string, ImplementedEffect] => [name, { kind: 'image', fidelity, rule, source: reference(name), apply }];

/**
 * Every implemented effect. An effect of the vocabulary that is neither in this table nor one that blends a layer with
 * its base (layers/compose-layer.ts) is refused by name.
 */
export const IMPLEMENTED: ReadonlyMap<string, ImplementedEffect> = new Map<string, ImplementedEffect>([
  ofFrame('grayscale', 'approximate', 'Rec. 709 luma', color.grayscale),
  ofFrame(
    'blackwhite',
    'approximate',
    'white from the threshold of Rec. 709 luma on (default 50 %), else black',
    color.blackwhite,
  ),
  ofFrame('sepia', 'approximate', "W3C Filter Effects' sepia(level %), default 80", color.sepia),
  ofFrame('negate', 'exact', '255 - value', color.negate),
  ofFrame('brightness', 'approximate', 'value × (1 + level / 100), default 80', color.brightness),
  ofFrame('brightness_hsb', 'approximate', 'the same in HSB: the hue stays, default 80', color.brightnessHsb),
  ofFrame(
    'contrast',
    'approximate',
    "ImageMagick's sigmoidal contrast (100 is steepness 10), or linear around the middle",
    color.contrast,
  ),
  ofFrame(
    'saturation',
    'approximate',
    "W3C Filter Effects' saturate(1 + level / 100), default 80",
    color.saturation,
  ),
  ofFrame('hue', 'approximate', 'hue of HSL rotated by level / 200 of a circle, default 80', color.hue),
  ofFrame('gamma', 'approximate', 'gamma of 1 + level / 100, default 0', color.gamma),
  ofFrame('vibrance', 'approximate', 'saturation, less for saturated colours, default 20', color.vibrance),
  ofFrame('red', 'approximate', 'channel × (1 + level / 100), default 0', color.channelLevel(0)),
  ofFrame('green', 'approximate', 'channel × (1 + level / 100), default 0', color.channelLevel(1)),
  ofFrame('blue', 'approximate', 'channel × (1 + level / 100), default 0', color.channelLevel(2)),
  ofFrame(
    'colorize',
    'approximate',
    'blends with `co_` (default gray) by the level, default 100',
    color.colorize,
  ),
  ofFrame(
    'tint',
    'approximate',
    'a gradient of the colours over the luma, blended by the amount (default 60); one colour lies between black and white',
    color.tint,
  ),
  ofFrame('recolor', 'exact', 'the matrix: 3 × 3 of the colours, 4 × 4 of colours and alpha', color.recolor),
  ofFrame(
    'simulate_colorblind',
    'approximate',
    'one matrix per condition (Machado 2009), default deuteranopia',
    color.simulateColorblind,
  ),
  ofFrame('fill_light', 'approximate', 'lightens dark values by a curve, default 100', color.fillLight),

  ofFrame('blur', 'approximate', 'Gaussian of sigma level / 50 pixels, default 100', area.blur),
  ofFrame(
    'pixelate',
    'approximate',
    'squares of their mean from the top left; by default a twentieth of the shorter side',
    area.pixelate,
  ),
  ofFrame(
    'sharpen',
    'approximate',
    'unsharp mask of sigma 0.7, level / 100 times, default 100',
    area.sharpen,
  ),
  ofFrame(
    'unsharp_mask',
    'approximate',
    'unsharp mask of sigma 1.5, level / 100 times, default 100',
    area.unsharpMask,
  ),
  ofFrame(
    'blur_region',
    'approximate',
    '`blur` of the area of `x`, `y`, `w`, `h` alone; by default to the far edges',
    region.blurRegion,
  ),
  ofFrame(
    'pixelate_region',
    'approximate',
    '`pixelate` of the area of `x`, `y`, `w`, `h` alone; by default to the far edges',
    region.pixelateRegion,
  ),
  ofFrame(
    'cartoonify',
    'approximate',
    'median, fewer shades of luma (default 50) or black and white, lines where a pixel is darker than its surroundings (default 50)',
    artistic.cartoonify,
  ),
  ofFrame(
    'oil_paint',
    'approximate',
    "Kuwahara's filter, its radius a share of the shorter side by the level (default 30); above 4 megapixels at a smaller size",
    artistic.oilPaint,
  ),
  ofFrame('vignette', 'approximate', 'darker towards the corners in an ellipse, default 20', area.vignette),
  ofFrame('noise', 'approximate', 'gray grain, the same at every rendering, default 0', area.noise),

  ofFrame(
    'auto_contrast',
    'approximate',
    'luma stretched, 0.5 % clipped, blended by the level',
    levels.autoContrast,
  ),
  ofFrame(
    'auto_color',
    'approximate',
    'channels stretched, 0.5 % clipped, blended by the level',
    levels.autoColor,
  ),
  ofFrame('auto_brightness', 'approximate', 'gamma that moves the mean to the middle', levels.autoBrightness),
  ofFrame(
    'improve',
    'approximate',
    'luma stretched and a little saturation, blended by the level',
    levels.improve,
  ),

  ofImage(
    'trim',
    'approximate',
    'edges like the top left pixel within the tolerance (default 10 %)',
    shape.trim,
  ),
  ofFrame(
    'shadow',
    'approximate',
    'blurred silhouette of `co_` (default gray) at `x`, `y` (default 10, 10), sigma level / 10; the canvas grows',
    shape.shadow,
  ),
  ofFrame(
    'dropshadow',
    'approximate',
    'blurred black silhouette away from the light (default azimuth 215, elevation 45, spread 50), within the canvas',
    shape.dropshadow,
  ),
  ofFrame(
    'gradient_fade',
    'approximate',
    'alpha grows from the edge over `x`, `y` (default `y_0.5`), linearly at the strength 20; `symmetric` from both edges, of the image before its padding, or with `symmetric_pad` after it',
    shape.gradientFade,
  ),
  ofFrame(
    'distort',
    'approximate',
    'the corners, clockwise from the top left, at four points, or the center line on an arc; bilinear, the canvas is the box around it',
    warp.distort,
  ),
  ofFrame(
    'shear',
    'approximate',
    'lower rows move to the right, then right columns down, by the tangents of the angles; the canvas grows',
    warp.shear,
  ),
  ofFrame(
    'outline',
    'approximate',
    'disc of the width (default 5) around the shape and inside of it, or one of both; blur / 20 of sigma, in `co_`; the canvas grows by an outer one',
    shape.outline,
    ['fill', 'inner_fill'],
  ),
  ofFrame(
    'opacity_threshold',
    'exact',
    'alpha below the level (default 50 %) is 0, else 255',
    shape.opacityThreshold,
  ),
  ofFrame(
    'make_transparent',
    'approximate',
    'pixels like `co_`, or the most frequent one of the edges, within the tolerance (default 10 %)',
    shape.makeTransparent,
  ),
  ofFrame(
    'replace_color',
    'approximate',
    'shades within the tolerance (default 50, a radius in CIELAB) of `from` (default: the most frequent strong colour), moved in YCbCr',
    shape.replaceColor,
  ),

  ofImage('loop', 'exact', 'loop count of an animation; a still image stays unchanged', loop),
  ofImage('fade', 'approximate', 'an animation from or to black; a still image is refused', fade),
]);
