import type { Frame } from '../raster-image.js';
import { type Paint, parsePaint } from './paint.js';
import type { Filter } from './pixels.js';

/** Other parameters of the effect's component. */
export interface EffectContext {
  /** The value of `co_`. */
  readonly color?: string;
  /** The value of `b_`. */
  readonly background?: string;
  /** Pixels. */
  readonly x?: number;
  readonly y?: number;
  /** Pixels of the region that the effect acts on. */
  readonly width?: number;
  readonly height?: number;
  /** Aborts the work between two frames. */
  readonly signal?: AbortSignal;
  /** Maximum pixels of the result, in all frames. */
  readonly maxPixels?: number;
}

/** Changes one frame. Must not modify the given one. */
export type FrameEffect = (
  frame: Frame,
  args: readonly string[],
  context: EffectContext,
) => Frame | Promise<Frame>;

/** An effect on one frame that is also an operation of libvips. */
export interface FilteredEffect {
  readonly apply: FrameEffect;
  /** Undefined if these arguments have none. */
  readonly filter: (args: readonly string[]) => Filter | undefined;
}

/** The first argument as a number; the vocabulary has checked its range. */
export const level = (args: readonly string[], byDefault: number): number =>
  args[0] === undefined ? byDefault : Number(args[0]);

/** The colour of `co_`, or an effect's own default. */
export const paintOf = (context: EffectContext, byDefault: string): Paint =>
  parsePaint(context.color ?? byDefault);
