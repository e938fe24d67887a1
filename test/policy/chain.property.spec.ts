import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { selectBaseChain } from '../../src/policy/base-chain.js';
import { checkChain } from '../../src/policy/check-chain.js';
import { checkToken } from '../../src/policy/check-token.js';
import { compilePolicy } from '../../src/policy/compile-policy.js';
import { expandSteps, NO_STEPS } from '../../src/policy/expand-steps.js';
import { PolicyViolationError } from '../../src/policy/policy.errors.js';
import type { PolicyDocument } from '../../src/policy/policy.js';
import { readClaims } from '../../src/tokens/token-claims.js';
import type { LayerAsset } from '../../src/transformations/asset-layer.js';
import { InvalidTransformationError } from '../../src/transformations/transformation.errors.js';
import { TransformationMapper } from '../../src/transformations/transformation.mapper.js';
import { RenderError } from '../../src/renderer/image/render.errors.js';
import { drawn, render, shelf } from '../renderer/drawings.js';
import { acceptedSteps, type Step, withAbsentValues } from '../support/steps.arbitrary.js';

const LOGO = '3d616b4e-a597-4b23-aa3d-d7de678f0ba6';
const OTHER = '11111111-2222-4333-8444-555555555555';
const overlays = new Map<string, LayerAsset>([
  [LOGO, { deliveryType: 'private', publicId: 'logo' }],
  [OTHER, { deliveryType: 'upload', publicId: 'other' }],
]);
const mapper = new TransformationMapper();
const RUNS = 20_000;
const RENDERS = 600;

/** The chain of a token under a policy, in the parts that a redirect joins; null if it is refused. */
function chainOf(
  document: PolicyDocument,
  steps: unknown,
  settings: { readonly download?: unknown; readonly original?: unknown } = {},
): { readonly own: readonly string[]; readonly whole: readonly string[] } | null {
  const policy = compilePolicy(document);
  try {
    const claims = readClaims({ transformations: steps, sharinpix: settings }, OTHER, 0);
    checkToken(policy, claims, 0);
    const expanded = claims.original ? NO_STEPS : expandSteps(policy, claims.transformations);
    const mapped = mapper.map(expanded.steps, expanded.numbers);
    if (!claims.original) checkChain(policy, mapped);
    const own = [...selectBaseChain(policy.baseChain, claims).components, ...mapped.components(overlays)];
    return { own, whole: [...own, ...policy.mandatory.components(overlays), ...policy.sizeLimit.components] };
  } catch (error) {
    if (error instanceof PolicyViolationError || error instanceof InvalidTransformationError) return null;
    throw error;
  }
}

const side = fc.oneof(
  fc.integer({ min: 1, max: 1000 }),
  fc.constantFrom<unknown>(0.5, '1.0', 2.5, '50.0', 'iw_mul_3', 'iw', 'auto', 'w_mul_4', '100'),
);
/** Steps of sizes only, which random steps of the whole vocabulary seldom combine. */
const sizing: fc.Arbitrary<Step> = fc.record(
  {
    width: side,
    height: side,
    crop: fc.constantFrom(
      ...'scale fit limit mfit fill lfill pad lpad mpad crop thumb auto auto_pad fill_pad'.split(' '),
    ),
    aspect_ratio: fc.constantFrom<unknown>('16:9', '1:100', 0.01, 100, 'iar', '1.5'),
    dpr: fc.constantFrom<unknown>(1, 2, 10, '0.1', '1.5'),
    zoom: fc.constantFrom<unknown>('0.1', 2, '1.5'),
    angle: fc.constantFrom<unknown>(0, 45, 90, -30, [45, 45], 'auto_right', 'hflip', [45, 30, 'auto_left']),
    border: fc.constantFrom('5px_solid_red', '300px_solid_black'),
    overlay: fc.constantFrom<unknown>(LOGO, { text: 'a long text', font_family: 'Arial', font_size: 300 }),
    underlay: fc.constant(OTHER),
    flags: fc.constantFrom(
      'layer_apply',
      'no_overflow',
      'tiled',
      'relative',
      'layer_apply.no_overflow',
      'layer_apply.relative',
      'ignore_aspect_ratio',
    ),
    gravity: fc.constantFrom('north_west', 'south', 'center', 'east', 'face', 'xy_center', 'auto'),
    x: fc.constantFrom<unknown>(10, -400, 0.9, '3.0', 'iw'),
    y: fc.constantFrom<unknown>(10, -400, '0.5', 5000),
    effect: fc.constantFrom('sepia', 'shadow:50', 'upscale', 'blur', 'outline:outer:50', 'trim'),
    size: fc.constantFrom('100x200', '900x10'),
    page: fc.constant(2),
  },
  { requiredKeys: [], noNullPrototype: true },
);
const pixels = fc.integer({ min: 1, max: 400 });
/** Small layers at every edge. */
const placing: fc.Arbitrary<Step> = fc
  .record({
    key: fc.constantFrom('overlay', 'underlay'),
    width: pixels,
    height: pixels,
    gravity: fc.constantFrom('north_west', 'north', 'east', 'south_east', 'center', 'west'),
    x: fc.oneof(fc.integer({ min: -400, max: 400 }), fc.constantFrom(0.9, '1.5')),
    y: fc.oneof(fc.integer({ min: -400, max: 400 }), fc.constantFrom(0.9, '-0.5')),
  })
  .map(({ key, ...rest }) => ({ [key]: LOGO, crop: 'scale', ...rest }));
/** Rotations, with sides that are shares of the rotated image. */
const turning: fc.Arbitrary<Step> = fc.record({
  angle: fc.constantFrom<unknown>('auto_right', 'auto_left', ['auto_right', 20], 90, [10, 20]),
  width: fc.oneof(pixels, fc.constantFrom<unknown>('0.01', 0.5, '3.0')),
  height: fc.oneof(pixels, fc.constantFrom<unknown>('0.01', 0.5, '3.0')),
  crop: fc.constantFrom('scale', 'limit', 'crop', 'fit'),
});
/** Few keys a step, and often a box at the end, so that many are accepted. */
const few = (step: Step, keep: readonly number[]): Step =>
  Object.fromEntries(Object.entries(step).filter((_, index) => keep.includes(index)));
const steps = fc.oneof(
  withAbsentValues(acceptedSteps({ overlayIds: [LOGO, OTHER] })),
  fc
    .tuple(
      fc.array(
        fc.oneof(
          {
            weight: 3,
            arbitrary: fc
              .tuple(sizing, fc.array(fc.nat({ max: 8 }), { maxLength: 4 }))
              .map(([step, keep]) => few(step, keep)),
          },
          { weight: 1, arbitrary: placing },
          { weight: 1, arbitrary: turning },
        ),
        { maxLength: 5 },
      ),
      fc.nat({ max: 3 }),
      fc.constantFrom<Step>(
        { width: 300, height: 200, crop: 'fit' },
        { width: 400, crop: 'limit' },
        { effect: 'sepia' },
        { size: '300x300' },
      ),
    )
    .map(([list, at, box]) => [...list.slice(0, at), box, ...list.slice(at)]),
);

const dimension = fc.integer({ min: 1, max: 300 });
const originals = fc.record({ width: dimension, height: dimension });

async function picture({
  width,
  height,
}: {
  readonly width: number;
  readonly height: number;
}): Promise<Buffer> {
  return drawn(width, height, () => [90, 120, 200, 255])
    .png({ compressionLevel: 0 })
    .toBuffer();
}

describe('under a maximum size', () => {
  it('the renderer creates no larger image, whatever the chain and the originals', async () => {
    let rendered = 0;
    await fc.assert(
      fc.asyncProperty(
        steps,
        fc.record(
          { max_width: fc.constantFrom(1, 50, 350), max_height: fc.constantFrom(1, 50, 350) },
          { requiredKeys: [] },
        ),
        fc.constantFrom(['c_limit,h_350,w_350', 'q_auto'], ['f_auto'], []),
        originals,
        originals,
        async (transformations, limits, base, original, layer) => {
          const chain = chainOf({ ...limits, base_chain: base }, transformations, { download: false });
          if (chain === null) return;
          const files = shelf({
            'private/photo': await picture(original),
            'private/logo': await picture(layer),
            'upload/other': await picture(layer),
          });
          try {
            const { width, height } = await render(files, chain.whole, { format: 'png' });
            rendered += 1;
            expect(width, chain.whole.join('/')).toBeLessThanOrEqual(limits.max_width ?? Infinity);
            expect(height, chain.whole.join('/')).toBeLessThanOrEqual(limits.max_height ?? Infinity);
          } catch (error) {
            if (!(error instanceof RenderError)) throw error;
          }
        },
      ),
      { numRuns: RENDERS },
    );
    // Refused chains prove nothing: enough must be rendered.
    expect(rendered).toBeGreaterThan(RENDERS / 20);
  });
});

describe('under a mandatory watermark', () => {
  const MANDATORY = [
    { overlay: LOGO, width: 0.3, flags: 'relative' },
    { opacity: 40 },
    { flags: 'layer_apply', gravity: 'south_east' },
  ];
  const WATERMARK = ['fl_relative,l_private:logo,w_0.3', 'o_40', 'fl_layer_apply,g_south_east'];
  const junk = fc.oneof(
    steps,
    fc.array(fc.oneof(sizing, fc.record({ preset: fc.constantFrom('stamp', 'none') })), { maxLength: 34 }),
    fc.anything(),
  );

  it('every chain ends with the complete watermark', () => {
    let delivered = 0;
    fc.assert(
      fc.property(
        junk,
        fc.record({ original: fc.anything(), download: fc.anything() }, { requiredKeys: [] }),
        fc.record(
          {
            base_chain: fc.constantFrom(['q_auto'], []),
            max_steps: fc.constant(20),
            strict: fc.boolean(),
            presets: fc.constant({ stamp: [{ overlay: OTHER }] }),
          },
          { requiredKeys: [] },
        ),
        (transformations, settings, document) => {
          const chain = chainOf({ ...document, mandatory_steps: MANDATORY }, transformations, settings);
          if (chain === null) return;
          delivered += 1;
          expect(chain.whole.slice(-WATERMARK.length)).toStrictEqual(WATERMARK);
        },
      ),
      { numRuns: RUNS },
    );
    expect(delivered).toBeGreaterThan(RUNS / 10);
  });
});
