import { RenderError } from '../render.errors.js';

/** Pixels of the largest canvas that a layer or text may ask for: Cloudinary's limit of a free plan. */
export const MOST_PIXELS = 25_000_000;
/** Pixels of all frames of an animation together: Cloudinary's limit too. */
export const MOST_PIXELS_OF_ALL_FRAMES = 100_000_000;

/** Refuses a canvas before it is allocated: an offset of 65,500 both ways would ask for 17 GB. */
export function refuseTooManyPixels(width: number, height: number, frames = 1): void {
  const pixels = width * height;
  const [asked, most] =
    pixels > MOST_PIXELS ? [pixels, MOST_PIXELS] : [pixels * frames, MOST_PIXELS_OF_ALL_FRAMES];
  if (asked > most) {
    throw new RenderError(
      400,
      `Maximum image size is ${most / 1e6} Megapixels. Requested ${(asked / 1e6).toFixed(2)} Megapixels`,
    );
  }
}
