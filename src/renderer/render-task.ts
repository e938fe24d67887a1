import type { LayerAsset } from '../transformations/asset-layer.js';
import type { RenderedImage, RenderRequest } from './image/image-renderer.js';
import type { TextStyle } from './image/text/text-style.js';

/** The data that a render worker starts with. */
export interface RenderWorkerData {
  /** Named text styles. */
  readonly textStyles: ReadonlyMap<string, TextStyle>;
  /** Paths of the operator's fonts. */
  readonly fonts: readonly string[];
}

/** One render, as sent to a worker. */
export interface RenderTask {
  readonly request: RenderRequest;
  /** Paths of every original that the render may use, by `originalKey`; null if it does not exist. */
  readonly originals: ReadonlyMap<string, string | null>;
}

/**
 * The result: an image, or the status and reason of a `RenderError`, whose class cannot be transferred between threads.
 */
export type RenderOutcome =
  { readonly image: RenderedImage } | { readonly status: 400 | 401 | 404 | 503; readonly reason: string };

export function originalKey({ deliveryType, publicId }: LayerAsset): string {
  return `${deliveryType}/${publicId}`;
}
