import { DEFAULT_DENSITY } from '../originals/conversion/conversion.js';
import type { Component } from './chain/component.js';
import { isUnpacked } from './image/effects/apply-effect.js';
import { RenderError } from './image/render.errors.js';

interface Waiting {
  readonly bytes: number;
  readonly start: () => void;
}

/** Memory that concurrent renders share. A render that does not fit waits for its turn; they start in order. */
export class MemoryBudget {
  private reserved = 0;
  private readonly waiting: Waiting[] = [];

  /** @param limit Bytes of all renders together. */
  constructor(readonly limit: number) {}

  get reservedBytes(): number {
    return this.reserved;
  }

  /**
   * Runs a task with reserved memory.
   * @param signal Ends the wait; its reason is thrown.
   * @throws {RenderError} 503 for more bytes than the budget has.
   */
  async run<T>(bytes: number, signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    if (bytes > this.limit) {
      throw new RenderError(503, 'The originals of the image need more memory than the service may use');
    }
    await this.reserve(bytes, signal);
    try {
      return await task();
    } finally {
      this.reserved -= bytes;
      this.startNext();
    }
  }

  private reserve(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const entry: Waiting = {
        bytes,
        start: () => {
          signal.removeEventListener('abort', giveUp);
          this.reserved += bytes;
          resolve();
        },
      };
      const giveUp = (): void => {
        this.waiting.splice(this.waiting.indexOf(entry), 1);
        reject(signal.reason as Error);
        // It may have been in front of one that fits.
        this.startNext();
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.waiting.push(entry);
      this.startNext();
    });
  }

  private startNext(): void {
    for (let [next] = this.waiting; next && this.reserved + next.bytes <= this.limit; [next] = this.waiting) {
      this.waiting.shift();
      next.start();
    }
  }
}

/** An original, as its row describes it. */
export interface OriginalSize {
  readonly format: string;
  readonly width: number;
  readonly height: number;
}

/**
 * Bytes per pixel while a file is decoded, measured. libheif decodes an AVIF as a whole, to planes and then to RGB; the
 * others deliver rows, unless they are interlaced.
 */
const DECODER_BYTES: ReadonlyMap<string, number> = new Map([
  ['avif', 18],
  ['bmp', 12],
  ['ico', 12],
  ['svg', 20],
  ['heic', 20],
  ['pdf', 20],
  ['jxl', 60],
]);
const OTHER_DECODER_BYTES = 4;
/** Formats of which the row describes one frame or page of several. */
const SEVERAL_SIZES: ReadonlySet<string> = new Set(['gif', 'webp', 'tif', 'pdf']);
/**
 * Images in RGBA at once: one, and the next that is computed from it; for an effect that libvips does not have, also what
 * it computes on the way (`dropshadow`: a shape, and the shape blurred).
 */
const FRAMES = { plain: 2, effect: 4 };
const BYTES_PER_PIXEL = 4;

/**
 * Bytes that are reckoned for an SVG at least: images in it have sizes of their own. Not more, so that an SVG as a
 * watermark over a photo fits the smallest budget.
 */
const SVG_BYTES = 64 * 2 ** 20;

/** Pixels of one image. */
export interface EstimateLimits {
  /** Of an unpacked image. */
  readonly pixels: number;
  /** Of all images below open layers. */
  readonly heldPixels: number;
  /** Of an original that is converted. */
  readonly convertedPixels: number;
}

/**
 * An estimate, before anything is decoded, of the memory that a render needs.
 * @param originals Of the image and its layers; null for one that does not exist.
 * @param chain The components of its URL.
 * @param budget Bytes: what a render of unknown size reserves, so that it runs alone.
 */
export function estimateBytes(
  originals: readonly (OriginalSize | null)[],
  chain: readonly Component[],
  limits: EstimateLimits,
  budget: number,
): number {
  const hasLayers = chain.some(({ layer }) => layer !== undefined);
  const hasEffect = chain.some(({ values }) => {
    const effect = values.get('e');
    return effect !== undefined && isUnpacked(effect);
  });
  const { scale, isKnown } = readPdfSelection(chain);
  const isUnknown = !isKnown && originals.some((original) => original?.format === 'pdf');
  let bytes = hasLayers ? limits.heldPixels * BYTES_PER_PIXEL : 0;
  let unpacked = 0;
  for (const original of originals) {
    if (original === null) continue;
    const { format, width, height } = original;
    const stored = width * height;
    const pixels = format === 'pdf' ? Math.min(stored * scale, limits.convertedPixels) : stored;
    const decoding = pixels * (DECODER_BYTES.get(format) ?? OTHER_DECODER_BYTES);
    bytes += format === 'svg' ? Math.max(SVG_BYTES, decoding) : decoding;
    unpacked = Math.max(
      unpacked,
      SEVERAL_SIZES.has(format) ? limits.pixels : Math.min(pixels, limits.pixels),
    );
  }
  bytes += unpacked * BYTES_PER_PIXEL * (hasEffect ? FRAMES.effect : FRAMES.plain);
  return isUnknown ? budget : bytes;
}

/** How the pixels of a PDF differ from its row's, which describes the first page at the default density. */
function readPdfSelection(chain: readonly Component[]): {
  readonly scale: number;
  readonly isKnown: boolean;
} {
  const densities = chain.map(({ values }) => Number(values.get('dn')) || 0);
  return {
    scale: Math.max(1, ...densities.map((density) => (density / DEFAULT_DENSITY) ** 2)),
    isKnown: chain.every(({ values }) => (values.get('pg') ?? '1') === '1'),
  };
}
