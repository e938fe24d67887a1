import type { LayerAsset } from '../../transformations/asset-layer.js';

/** The renderer's source of files. */
export interface Originals {
  /** The stored bytes, or null if there is no such original. */
  find(deliveryType: LayerAsset['deliveryType'], publicId: string): Promise<Buffer | null>;
}
