import type { Frame } from '../picture.js';
import { type Paint, parsePaint } from './paint.js';

/** Other parameters of the component that has the effect. */
export interface EffectContext {
  /** The value of `co_`. */
  readonly color?: string;
  /** The value of `b_`. */
  readonly background?: string;
  /** Pixels. */
  readonly x?: number;
  readonly y?: number;
  /** Ends the work between two frames. */
  readonly signal?: AbortSignal;
  /** Pixels that the result may have, all its frames together. */
  readonly mostPixels?: number;
}

/** Changes one frame. The frame given is never written to. */
export type FrameEffect = (
  frame: Frame,
  args: readonly string[],
  context: EffectContext,
) => Frame | Promise<Frame>;

/** The first argument as a number; the vocabulary has looked at its range. */
export const level = (args: readonly string[], byDefault: number): number =>
  args[0] === undefined ? byDefault : Number(args[0]);

/** The colour of `co_`, or an effect's own default. */
export const paintOf = (context: EffectContext, byDefault: string): Paint =>
  parsePaint(context.color ?? byDefault);
