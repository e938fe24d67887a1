import type { Picture } from './picture.js';
import { RenderError } from './render.errors.js';

/** What one render may use. */
export interface RenderLimits {
  /** Pixels of an original, all its frames together, as its header declares them: decompression bombs end here. */
  readonly inputPixels: number;
  /** Pixels of every picture between two operations, all its frames together; each takes four bytes. */
  readonly pixels: number;
  /** Pixels of the pictures that all components together start from: the time of a render grows with them. */
  readonly work: number;
}

export const DEFAULT_LIMITS: RenderLimits = {
  inputPixels: 100_000_000,
  pixels: 25_000_000,
  work: 250_000_000,
};

/** What the components of one render, those of its layers included, have started from so far. */
export class RenderWork {
  private pixels = 0;

  constructor(private readonly limit: number) {}

  /** Counts one component. @throws {RenderError} 400 beyond the limit, before the component's pixels are touched. */
  charge(picture: Picture): void {
    const pixels = pixelsOf(picture);
    this.foresee(pixels);
    this.pixels += pixels;
  }

  /** @throws {RenderError} 400 where so many pixels more would go beyond the limit. */
  foresee(pixels: number): void {
    if (this.pixels + pixels <= this.limit) return;
    throw new RenderError(
      400,
      `The components process more than ${this.limit / 1e6} megapixels in total. Use fewer, or resize first`,
    );
  }
}

/** Pixels of all frames together. */
export function pixelsOf({ frames }: Picture): number {
  let pixels = 0;
  for (const { width, height } of frames) pixels += width * height;
  return pixels;
}

/** @throws {RenderError} 400 for more pixels than `most`, before they are allocated. */
export function refuseTooLarge(width: number, height: number, frames: number, most: number): void {
  const pixels = width * height * frames;
  if (!(pixels <= most)) {
    throw new RenderError(
      400,
      `Maximum image size is ${most / 1e6} Megapixels. Requested ${(pixels / 1e6).toFixed(2)} Megapixels`,
    );
  }
}
