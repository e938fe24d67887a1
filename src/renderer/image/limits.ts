import { RenderError } from './render.errors.js';

/** Resource limits of one render. */
export interface RenderLimits {
  /** Pixels of an original in all frames, as declared by its header: stops decompression bombs. */
  readonly inputPixels: number;
  /** Pixels of an original that is converted before libvips reads it. */
  readonly convertedPixels: number;
  /** Pixels of an image between two operations, in all frames; each takes four bytes. */
  readonly pixels: number;
  /** Pixels of all images that wait at once for the layers above them; each takes four bytes. */
  readonly heldPixels: number;
  /** Sum of the pixels that all components start from: it determines the time of a render. */
  readonly work: number;
}

export const DEFAULT_LIMITS: RenderLimits = {
  inputPixels: 100_000_000,
  convertedPixels: 50_000_000,
  pixels: 25_000_000,
  heldPixels: 64_000_000,
  work: 250_000_000,
};

/** The pixels that a render's components, including those of its layers, have started from so far. */
export class RenderWork {
  private pixels = 0;
  private held = 0;

  constructor(
    private readonly limit: number,
    private readonly heldLimit: number,
  ) {}

  /**
   * Counts an image that stays in memory while a layer above it is rendered.
   * @throws {RenderError} 400 beyond the limit, before the layer is opened.
   */
  async hold<T>(pixels: number, renderLayer: () => Promise<T>): Promise<T> {
    if (this.held + pixels > this.heldLimit) {
      throw new RenderError(
        400,
        `The layers are nested over more than ${this.heldLimit / 1e6} megapixels. Nest fewer, or resize first`,
      );
    }
    this.held += pixels;
    try {
      return await renderLayer();
    } finally {
      this.held -= pixels;
    }
  }

  /** Counts one component. @throws {RenderError} 400 beyond the limit, before the component's pixels are touched. */
  charge(pixels: number): void {
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
