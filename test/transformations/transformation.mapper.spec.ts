import { describe, expect, it } from 'vitest';
import { TransformationMapper } from '../../src/transformations/transformation.mapper.js';
import type { LayerAsset } from '../../src/transformations/transformation.mapper.js';

const mapper = new TransformationMapper();
const OVERLAY = '3d616b4e-a597-4b23-aa3d-d7de678f0ba6';
const overlays = (
  deliveryType: LayerAsset['deliveryType'],
  publicId: string,
): ReadonlyMap<string, LayerAsset> => new Map([[OVERLAY, { deliveryType, publicId }]]);
const ROWS = overlays('private', 'd47e609177b4');

describe('TransformationMapper, the seed', () => {
  it("writes the seed's two steps", () => {
    const chain = mapper.map([
      { width: 200, overlay: OVERLAY, flags: 'tiled', miaim: 'hey hey !', super_plop: 'test?' },
      { width: 101, flags: 'tiled', height: 102, crop: 'fit' },
    ]);
    expect(chain.overlayIds).toEqual([OVERLAY]);
    expect(chain.components(ROWS)).toEqual(['fl_tiled,l_private:d47e609177b4,w_200', 'c_fit,h_102,w_101']);
    expect(chain.steps.map(({ step, ignored }) => ({ step, ignored }))).toEqual([
      {
        step: 1,
        ignored: [
          { key: 'miaim', reason: 'unknown parameter' },
          { key: 'super_plop', reason: 'unknown parameter' },
        ],
      },
      {
        step: 2,
        ignored: [{ key: 'flags', reason: '`tiled` acts only on a layer, and this step has none' }],
      },
    ]);
  });
});
