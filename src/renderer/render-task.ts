import type { LayerAsset } from '../transformations/asset-layer.js';
import type { RenderedPicture, RenderRequest } from './picture/picture-renderer.js';
import type { TextStyle } from './picture/text/text-style.js';

/** What a render worker is started with. */
export interface RenderWorkerData {
  /** Named text styles. */
  readonly textStyles: ReadonlyMap<string, TextStyle>;
}

/** One render, as it crosses to a worker. */
export interface RenderTask {
  readonly request: RenderRequest;
  /** Every original that the render may use, by `originalKey`; null for one that does not exist. */
  readonly originals: ReadonlyMap<string, Uint8Array | null>;
}

/** What comes back: a picture, or the status and reason of a `RenderError`, whose class does not cross threads. */
export type RenderOutcome =
  { readonly picture: RenderedPicture } | { readonly status: 400 | 401 | 404 | 503; readonly reason: string };

export function originalKey({ deliveryType, publicId }: LayerAsset): string {
  return `${deliveryType}/${publicId}`;
}
