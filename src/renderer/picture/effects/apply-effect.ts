import { setImmediate } from 'node:timers/promises';
import { EFFECTS as VOCABULARY, effect as grammar } from '../../../transformations/effects.js';
import { DEFAULT_LIMITS, refuseTooLarge } from '../limits.js';
import { mapFrames, type Picture } from '../picture.js';
import { RenderError } from '../render.errors.js';
import type { EffectContext } from './effect-context.js';
import { type Fidelity, IMPLEMENTED } from './effect-table.js';

export type { EffectContext } from './effect-context.js';

/** How well an effect of the vocabulary is rendered here. */
export function effectFidelity(name: string): Fidelity | 'missing' {
  return IMPLEMENTED.get(name)?.fidelity ?? 'missing';
}

/**
 * Applies an effect to each frame of a picture; alpha stays unless the effect is about it.
 * @param text What stands after `e_`: `sepia:50`.
 * @throws RenderError 400 for an effect that is unknown, not rendered here, outside its range, or with a result
 * above the pixel ceiling.
 */
export async function applyEffect(picture: Picture, text: string, context: EffectContext): Promise<Picture> {
  const [name = '', ...args] = text.split(':');
  if (!VOCABULARY.has(name)) throw new RenderError(400, `Invalid effect: ${name}`);
  const found = IMPLEMENTED.get(name);
  if (!found) throw new RenderError(400, `Effect not supported: ${name}`);
  // The same ranges that a token's step is held to, so that no effect has to look at them again.
  if (grammar.write(text) === undefined) {
    throw new RenderError(400, `Invalid effect value: ${text}. Allowed: ${grammar.allowedFor?.(text) ?? ''}`);
  }
  const missing = args.find((arg) => found.missingArguments?.includes(arg));
  if (missing !== undefined) throw new RenderError(400, `Effect not supported: ${name}:${missing}`);
  if (found.kind === 'picture') return found.apply(picture, args);
  const count = picture.frames.length;
  return mapFrames(picture, async (frame) => {
    // Loops over pixels keep the thread; between frames others get it, a deadline's timer among them.
    if (count > 1) await setImmediate();
    context.signal?.throwIfAborted();
    const result = await found.apply(frame, args, context);
    refuseTooLarge(result.width, result.height, count, context.mostPixels ?? DEFAULT_LIMITS.pixels);
    return result;
  });
}
