import { setImmediate } from 'node:timers/promises';
import { EFFECTS as VOCABULARY, effect as grammar } from '../../../transformations/effects.js';
import { DEFAULT_LIMITS, refuseTooLarge } from '../limits.js';
import { mapFrames, type RasterImage } from '../raster-image.js';
import { RenderError } from '../render.errors.js';
import type { EffectContext } from './effect-context.js';
import { type Fidelity, IMPLEMENTED, type ImplementedEffect } from './effect-table.js';
import type { Filter } from './pixels.js';

export type { EffectContext } from './effect-context.js';

/** The fidelity of an effect's implementation. */
export function effectFidelity(name: string): Fidelity | 'missing' {
  return IMPLEMENTED.get(name)?.fidelity ?? 'missing';
}

/** Whether an effect is computed from unpacked pixels; of an unknown one true. @param text The text after `e_`. */
export function isUnpacked(text: string): boolean {
  const found = IMPLEMENTED.get(text.split(':', 1)[0] ?? '');
  return found?.kind !== 'frame' || found.filter === undefined;
}

/**
 * An effect as an operation of libvips; undefined for any other.
 * @param text The text after `e_`: `sepia:50`.
 * @throws RenderError as `applyEffect` does.
 */
export function effectFilter(text: string): Filter | undefined {
  const { found, args } = readEffect(text);
  return found.kind === 'frame' ? found.filter?.(args) : undefined;
}

/**
 * Applies an effect to each frame of an image; alpha stays unless the effect changes it.
 * @param text The text after `e_`: `sepia:50`.
 * @throws RenderError 400 for an effect that is unknown, not implemented, outside its range, or with a result above the
 *   pixel limit.
 */
export async function applyEffect(
  image: RasterImage,
  text: string,
  context: EffectContext,
): Promise<RasterImage> {
  const { found, args } = readEffect(text);
  if (found.kind === 'image') return found.apply(image, args);
  const count = image.frames.length;
  return mapFrames(image, async (frame) => {
    // Loops over pixels block the thread; other tasks run between frames, such as a deadline's timer.
    if (count > 1) await setImmediate();
    context.signal?.throwIfAborted();
    const result = await found.apply(frame, args, context);
    refuseTooLarge(result.width, result.height, count, context.maxPixels ?? DEFAULT_LIMITS.pixels);
    return result;
  });
}

function readEffect(text: string): { readonly found: ImplementedEffect; readonly args: readonly string[] } {
  const [name = '', ...args] = text.split(':');
  if (!VOCABULARY.has(name)) throw new RenderError(400, `Invalid effect: ${name}`);
  const found = IMPLEMENTED.get(name);
  if (!found) throw new RenderError(400, `Effect not supported: ${name}`);
  // The ranges of a token's step, so that effects need not check them again.
  if (grammar.write(text) === undefined) {
    throw new RenderError(400, `Invalid effect value: ${text}. Allowed: ${grammar.allowedFor?.(text) ?? ''}`);
  }
  const missing = args.find((arg) => found.missingArguments?.includes(arg));
  if (missing !== undefined) throw new RenderError(400, `Effect not supported: ${name}:${missing}`);
  return { found, args };
}
