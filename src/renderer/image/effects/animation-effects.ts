import type { Frame, RasterImage } from '../raster-image.js';
import { RenderError } from '../render.errors.js';
import { mapChannels, table } from './pixels.js';

/** Effects of time: they act on an animation. */

/** `loop[:<additional times>]`; without a number it loops forever. A still image stays unchanged. */
export function loop(image: RasterImage, [times]: readonly string[]): RasterImage {
  return image.frames.length === 1 ? image : { ...image, loop: times === undefined ? 0 : Number(times) + 1 };
}

/** Default duration of a fade in milliseconds. */
const FADE = 2000;

/** `fade[:<ms>]`: in from black during the first milliseconds or, if negative, out to black during the last ones. */
export function fade(image: RasterImage, [duration]: readonly string[]): RasterImage {
  if (image.frames.length === 1) {
    throw new RenderError(400, 'Effect not supported for a still image: fade');
  }
  const length = duration === undefined ? FADE : Number(duration);
  const total = image.delays.reduce((sum, delay) => sum + delay, 0);
  let shown = 0;
  const shade = (frame: Frame, index: number): Frame => {
    const from = length >= 0 ? shown : total - shown;
    shown += image.delays[index] ?? 0;
    const light = length === 0 ? 1 : Math.min(1, from / Math.abs(length));
    return light === 1
      ? frame
      : mapChannels(
          frame,
          table((value) => value * light),
        );
  };
  const [first, ...rest] = image.frames;
  const opening = shade(first, 0);
  return { ...image, frames: [opening, ...rest.map((frame, index) => shade(frame, index + 1))] };
}
