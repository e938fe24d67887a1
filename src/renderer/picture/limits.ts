import { RenderError } from './render.errors.js';

/** What one render may use. */
export interface RenderLimits {
  /** Pixels of an original, all its frames together, as its header declares them: decompression bombs end here. */
  readonly inputPixels: number;
  /** Pixels of every picture between two operations, all its frames together; each takes four bytes. */
  readonly pixels: number;
}

export const DEFAULT_LIMITS: RenderLimits = { inputPixels: 100_000_000, pixels: 25_000_000 };

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
