import type { Frame, Picture } from '../picture.js';
import { RenderError } from '../render.errors.js';
import { mapChannels, table } from './pixels.js';

/** Effects of time: they act on an animation. */

/** `loop[:<additional times>]`; without a number it plays for ever. A still has nothing to repeat, and stays. */
export function loop(picture: Picture, [times]: readonly string[]): Picture {
  return picture.frames.length === 1
    ? picture
    : { ...picture, loop: times === undefined ? 0 : Number(times) + 1 };
}

/** Milliseconds of a fade that says nothing else. */
const FADE = 2000;

/** `fade[:<ms>]`: in from black during the first milliseconds, or, below 0, out to black during the last ones. */
export function fade(picture: Picture, [duration]: readonly string[]): Picture {
  if (picture.frames.length === 1) {
    throw new RenderError(400, 'Effect not supported for a still picture: fade');
  }
  const length = duration === undefined ? FADE : Number(duration);
  const total = picture.delays.reduce((sum, delay) => sum + delay, 0);
  let shown = 0;
  const shade = (frame: Frame, index: number): Frame => {
    const from = length >= 0 ? shown : total - shown;
    shown += picture.delays[index] ?? 0;
    const light = length === 0 ? 1 : Math.min(1, from / Math.abs(length));
    return light === 1
      ? frame
      : mapChannels(
          frame,
          table((value) => value * light),
        );
  };
  const [first, ...rest] = picture.frames;
  const opening = shade(first, 0);
  return { ...picture, frames: [opening, ...rest.map((frame, index) => shade(frame, index + 1))] };
}
