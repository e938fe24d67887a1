/** Straight (not premultiplied) sRGB pixels with alpha, 8 bits each, row by row without padding. */
export interface Frame {
  /** Whole pixels, 1 or more. */
  readonly width: number;
  readonly height: number;
  /** `width * height * 4` bytes. */
  readonly pixels: Buffer;
}

/** An image between two components: one frame, or the frames of an animation, all of one size. */
export interface RasterImage {
  readonly frames: readonly [Frame, ...Frame[]];
  /** Milliseconds per frame; empty for a still image. */
  readonly delays: readonly number[];
  /** Loop count of an animation; 0 is forever. */
  readonly loop: number;
}

/** Applies a function to each frame, in order. */
export async function mapFrames(
  image: RasterImage,
  apply: (frame: Frame) => Promise<Frame> | Frame,
): Promise<RasterImage> {
  const [first, ...rest] = image.frames;
  const frames: [Frame, ...Frame[]] = [await apply(first)];
  for (const frame of rest) frames.push(await apply(frame));
  return { ...image, frames };
}
