import type { LayerAsset } from '../../transformations/asset-layer.js';

/** Where the renderer finds the files it works on. */
export interface Originals {
  /** The stored bytes, or null where there is no such original. */
  find(deliveryType: LayerAsset['deliveryType'], publicId: string): Promise<Buffer | null>;
}
