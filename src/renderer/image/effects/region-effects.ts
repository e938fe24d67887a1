import type { Rectangle } from '../box.js';
import type { Frame } from '../raster-image.js';
import { extract } from '../reshape.js';
import { blur, pixelate } from './area-effects.js';
import type { EffectContext, FrameEffect } from './effect-context.js';

/** The part of a frame that `x`, `y`, `w` and `h` name: by default from the top left to the far edges. */
function regionOf(frame: Frame, { x = 0, y = 0, width, height }: EffectContext): Rectangle | undefined {
  const start = (offset: number, side: number): number => Math.min(side, Math.max(0, Math.round(offset)));
  const end = (offset: number, length: number | undefined, side: number): number =>
    length === undefined ? side : start(offset + length, side);
  const [left, top] = [start(x, frame.width), start(y, frame.height)];
  const region = {
    ...{ left, top },
    width: end(x, width, frame.width) - left,
    height: end(y, height, frame.height) - top,
  };
  return region.width > 0 && region.height > 0 ? region : undefined;
}

/** An effect that changes a part of a frame as if it was an image of its own. */
const ofRegion =
  (effect: FrameEffect): FrameEffect =>
  async (frame, args, context) => {
    const region = regionOf(frame, context);
    if (!region) return frame;
    const part = await effect(extract(frame, region), args, context);
    const pixels = Buffer.from(frame.pixels);
    for (let row = 0; row < part.height; row += 1) {
      const to = ((region.top + row) * frame.width + region.left) * 4;
      part.pixels.copy(pixels, to, row * part.width * 4, (row + 1) * part.width * 4);
    }
    return { ...frame, pixels };
  };

export const blurRegion = ofRegion(blur.apply);
export const pixelateRegion = ofRegion(pixelate);
