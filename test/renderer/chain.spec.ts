import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { selectBaseChain } from '../../src/policy/base-chain.js';
import { NO_POLICY } from '../../src/policy/compile-policy.js';
import { findAssets, parseChain } from '../../src/renderer/chain/chain.parser.js';
import { nestLayers, type Step } from '../../src/renderer/chain/chain-tree.js';
import { writeComponent } from '../../src/renderer/chain/component.js';
import { RenderError } from '../../src/renderer/image/render.errors.js';
import { type LayerAsset, TransformationMapper } from '../../src/transformations/transformation.mapper.js';
import { acceptedSteps } from '../support/steps.arbitrary.js';

const RUNS = Number(process.env['PIXSEAL_AGREEMENT_RUNS'] ?? 2000);

const ROWS: ReadonlyMap<string, LayerAsset> = new Map([
  ['3d616b4e-a597-4b23-aa3d-d7de678f0ba6', { deliveryType: 'private', publicId: 'd47e609177b4' }],
  ['0b6a3f0e-2c0f-4c55-9d1b-5a5f2f1f7a11', { deliveryType: 'authenticated', publicId: 'a/b/c d,é' }],
  ['9c1c3e52-6d8f-4e4b-8a0a-0f4f5f3b2c22', { deliveryType: 'upload', publicId: 'marks/logo.1' }],
]);
const UPLOADED = '9c1c3e52-6d8f-4e4b-8a0a-0f4f5f3b2c22';

/** What reading a chain throws, as status and message. */
function refusal(...chain: string[]): string {
  try {
    parseChain(chain);
  } catch (error) {
    if (error instanceof RenderError) return `${error.status} ${error.message}`;
    throw error;
  }
  return 'accepted';
}

/** A tree of steps as text: `t` is a transformation, `l(…)` a layer with what is in it. */
const shape = (steps: readonly Step[]): string =>
  steps
    .map((step) => (step.kind === 'transform' ? 't' : `l(${shape(step.steps)})${step.apply ? '!' : ''}`))
    .join('');

describe('parseChain', () => {
  it(`reads back what the mapper writes, in ${RUNS} chains of accepted steps`, () => {
    const mapper = new TransformationMapper();
    fc.assert(
      fc.property(acceptedSteps({ overlayIds: [...ROWS.keys()], uploadedIds: [UPLOADED] }), (steps) => {
        const written = mapper.map(steps).components(ROWS);
        expect(parseChain(written).map(writeComponent)).toEqual(written);
      }),
      { numRuns: RUNS },
    );
  });

  it('finds every row that the mapper wrote a layer of', () => {
    for (const [id, asset] of ROWS) {
      const written = new TransformationMapper().map([{ overlay: id }]).components(ROWS);
      expect(findAssets(written)).toEqual([asset]);
    }
  });

  it.each([
    { download: true, original: false },
    { download: false, original: false },
    { download: true, original: true },
    { download: false, original: true },
  ])('reads the base chain of $download, $original', (claims) => {
    const { components } = selectBaseChain(NO_POLICY.baseChain, {
      ...claims,
      fullSize: false,
      filename: 'A flower (2).jpg',
    });
    expect(parseChain(components).map(writeComponent)).toEqual(components);
  });

  it('keeps flags that stand apart, as url-gen writes them', () => {
    const [component] = parseChain(['fl_layer_apply,fl_no_overflow,g_south']);
    expect([...(component?.flags.keys() ?? [])]).toEqual(['layer_apply', 'no_overflow']);
  });

  it('keeps what follows the colon of a flag', () => {
    expect(parseChain(['fl_attachment:my%20flower'])[0]?.flags.get('attachment')).toBe('my%20flower');
  });

  it('takes the last of two effects, as Cloudinary does', () => {
    expect(parseChain(['e_sepia,w_9,e_blur:5'])[0]?.values.get('e')).toBe('blur:5');
  });

  it('reads a value that was encoded without need', () => {
    expect(parseChain(['ar_16%3A9,w_100'])[0]?.values.get('ar')).toBe('16:9');
  });

  it.each([
    ['w_abc', '400 Invalid value abc for parameter w in component w_abc'],
    ['c_fit,w_0', '400 Invalid value 0 for parameter w in component c_fit,w_0'],
    ['xx_1', '400 Invalid transformation parameter xx_1 in component xx_1'],
    ['$w_1', '400 Invalid transformation parameter $w_1 in component $w_1'],
    ['if_w_gt_100', '400 Invalid transformation parameter if_w_gt_100 in component if_w_gt_100'],
    ['fn_remote:aHR0', '400 Invalid transformation parameter fn_remote:aHR0 in component fn_remote:aHR0'],
    ['w', '400 Invalid transformation parameter w in component w'],
    ['', '400 Invalid transformation component - '],
    ['w_1,w_2', '400 Parameter w given more than once in component w_1,w_2'],
    ['l_a,l_b', '400 Parameter l given more than once in component l_a,l_b'],
    ['e_sepia:101', '400 Invalid value sepia:101 for parameter e in component e_sepia:101'],
    ['l_fetch:aHR0', '400 Invalid value fetch:aHR0 for parameter l in component l_fetch:aHR0'],
    ['l_a::b', '400 Invalid value a::b for parameter l in component l_a::b'],
    ['l_..:..:etc', '400 Invalid value ..:..:etc for parameter l in component l_..:..:etc'],
    ['l_a%2F..%2Fb', '400 Invalid value a%2F..%2Fb for parameter l in component l_a%2F..%2Fb'],
    ['l_%00', '400 Invalid value %00 for parameter l in component l_%00'],
    ['l_%E0%A4%A', '400 Invalid value %E0%A4%A for parameter l in component l_%E0%A4%A'],
    ['d_private:x', '400 Invalid value private:x for parameter d in component d_private:x'],
    ['w_10%2Ce_sepia', '400 Invalid value 10%2Ce_sepia for parameter w in component w_10%2Ce_sepia'],
    ['b_%23fff', '400 Invalid value %23fff for parameter b in component b_%23fff'],
  ])('refuses %s and says where', (component, message) => {
    expect(refusal('c_fit', component)).toBe(message);
  });

  it('refuses more components than any chain of ours has', () => {
    expect(refusal(...Array.from({ length: 65 }, () => 'w_1'))).toBe(
      '400 Too many components in transformation: 65',
    );
  });

  it('never throws anything but a RenderError, whatever the text', () => {
    const piece = fc.oneof(
      fc.constantFrom('w_100', 'l_private:x', 'l_text:Arial_40:a', 'fl_layer_apply', ',', '/', '%', '_', ':'),
      fc.string({ unit: 'binary', maxLength: 20 }),
    );
    fc.assert(
      fc.property(fc.array(fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join(''))), (chain) => {
        try {
          nestLayers(parseChain(chain));
        } catch (error) {
          expect(error).toBeInstanceOf(RenderError);
        }
      }),
    );
  });
});

describe('findAssets', () => {
  it('names layers and default images; an extension is a format, as Cloudinary reads it', () => {
    expect(
      findAssets(['l_authenticated:a:b.jpg,w_10', 'd_avatars:none.png', 'u_c', 'l_text:Arial_40:x']),
    ).toEqual([
      { deliveryType: 'authenticated', publicId: 'a/b' },
      { deliveryType: 'upload', publicId: 'avatars/none' },
      { deliveryType: 'upload', publicId: 'c' },
    ]);
  });
});

describe('nestLayers', () => {
  it.each([
    [['w_1', 'e_sepia'], 'tt'],
    [['l_a,w_1', 'w_2'], 'l()t'],
    [['l_a', 'w_1', 'e_sepia', 'fl_layer_apply,g_north'], 'l(tt)!'],
    [['l_a', 'l_b', 'w_1', 'fl_layer_apply', 'w_2', 'fl_layer_apply', 'w_3'], 'l(l(t)!t)!t'],
    [['l_a', 'l_b', 'fl_layer_apply'], 'l()l()!'],
    [['fl_layer_apply,l_a', 'w_1'], 'l()t'],
  ])('pairs %j like brackets', (chain, tree) => {
    expect(shape(nestLayers(parseChain(chain)))).toBe(tree);
  });

  it('refuses two layers in one component', () => {
    expect(() => nestLayers(parseChain(['l_a,u_b']))).toThrow(
      new RenderError(400, 'An overlay and an underlay in one component l_a,u_b'),
    );
  });

  it('refuses a layer_apply that closes nothing', () => {
    expect(() => nestLayers(parseChain(['w_1', 'fl_layer_apply,g_south']))).toThrow(
      new RenderError(400, 'Flag layer_apply closes no layer in component fl_layer_apply,g_south'),
    );
  });
});
