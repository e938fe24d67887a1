/** Straight (not premultiplied) sRGB pixels with alpha, 8 bits each, row by row without padding. */
export interface Frame {
  /** Whole pixels, 1 or more. */
  readonly width: number;
  readonly height: number;
  /** `width * height * 4` bytes. */
  readonly pixels: Buffer;
}

/** A picture between two components: one frame, or the frames of an animation, all of one size. */
export interface Picture {
  readonly frames: readonly [Frame, ...Frame[]];
  /** Milliseconds that each frame is shown; empty for a still. */
  readonly delays: readonly number[];
  /** How often an animation plays; 0 is for ever. */
  readonly loop: number;
}

/** Applies something to each frame, in order. */
export async function mapFrames(
  picture: Picture,
  apply: (frame: Frame) => Promise<Frame> | Frame,
): Promise<Picture> {
  const [first, ...rest] = picture.frames;
  const frames: [Frame, ...Frame[]] = [await apply(first)];
  for (const frame of rest) frames.push(await apply(frame));
  return { ...picture, frames };
}
