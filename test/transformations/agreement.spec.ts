import { v2 as cloudinary } from 'cloudinary';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pathOf } from '../../src/transformations/component.js';
import { isObject } from '../../src/domain/is-object.js';
import { type LayerAsset, TransformationMapper } from '../../src/transformations/transformation.mapper.js';
import { acceptedSteps, type Step, withAbsentValues } from '../support/steps.arbitrary.js';

const RUNS = Number(process.env['PIXSEAL_AGREEMENT_RUNS'] ?? 2000);

// Public ids that the SDK writes correctly: it replaces only the first slash, and encodes nothing.
const ROWS: ReadonlyMap<string, LayerAsset> = new Map([
  ['3d616b4e-a597-4b23-aa3d-d7de678f0ba6', { deliveryType: 'private', publicId: 'd47e609177b4' }],
  ['0b6a3f0e-2c0f-4c55-9d1b-5a5f2f1f7a11', { deliveryType: 'authenticated', publicId: 'marks/3bc669b21d8e' }],
  ['9c1c3e52-6d8f-4e4b-8a0a-0f4f5f3b2c22', { deliveryType: 'upload', publicId: 'marks/logo.1' }],
]);
const UPLOADED = '9c1c3e52-6d8f-4e4b-8a0a-0f4f5f3b2c22';

const IDS = { overlayIds: [...ROWS.keys()], uploadedIds: [UPLOADED] };

/** Flags that a step without a layer drops, independent of the table under test. */
const LAYER_FLAGS =
  /^(?:cutter|no_overflow|region_relative|relative|replace_image|text_disallow_overflow|text_no_trim|tiled)$/;
const IGNORED = ['miaim', '$width', 'raw_transformation'];

const flagsOf = ({ flags }: Step): string[] =>
  (Array.isArray(flags) ? flags : flags === undefined || flags === null ? [] : [flags]).flatMap((flag) =>
    String(flag).split('.'),
  );

/** Whether a step acts on a layer: its own, or one that is open until a later `layer_apply`. */
function hasLayer(steps: readonly Step[], at: number): boolean {
  const open: boolean[] = [];
  for (const [index, step] of steps.entries()) {
    const own = 'overlay' in step || 'underlay' in step;
    if (own) {
      open.push(index <= at);
    }
    if (own && index === at) {
      return true;
    }
    if (flagsOf(step).includes('layer_apply') && open.pop() === true && index >= at) {
      return true;
    }
  }
  return false;
}

/** A row in the SDK's own terms. */
function asset(id: unknown): LayerAsset | undefined {
  return typeof id === 'string' ? ROWS.get(id.toLowerCase()) : undefined;
}

/** Where the SDK throws at an empty list, or writes its own default. */
const NO_LISTS = ['background', 'border', 'color', 'radius', 'size'];
/** Members of a text that the SDK writes even if null: `letter_spacing_null`. */
const NO_CHECK = ['letter_spacing', 'line_spacing', 'font_hinting', 'font_antialiasing'];
const isAbsent = (value: unknown): boolean =>
  value === null || value === '' || (Array.isArray(value) && value.join() === '');

/** A text in the SDK's own terms: for lists, it writes a comma between absent items. */
const text = (layer: object): object =>
  Object.fromEntries(
    Object.entries(layer).filter(
      ([name, value]) => !isAbsent(value) || !(Array.isArray(value) || NO_CHECK.includes(name)),
    ),
  );

/** The step as passed to the SDK: without ignored keys, with rows in place of their ids. */
function forTheSdk(steps: readonly Step[]): Record<string, unknown>[] {
  return steps.map((step, index) => {
    const options: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(step)) {
      const row = asset(value);
      if (IGNORED.includes(key) || (NO_LISTS.includes(key) && Array.isArray(value) && isAbsent(value))) {
        continue;
      }
      if (row && key === 'default_image') {
        options[key] = row.publicId.replace('/', ':');
      } else if (row) {
        options[key] = { public_id: row.publicId, type: row.deliveryType };
      } else if ((key === 'overlay' || key === 'underlay') && isObject(value)) {
        options[key] = text(value);
      } else if (key === 'flags' && !isAbsent(value) && !hasLayer(steps, index)) {
        options[key] = flagsOf(step).filter((flag) => !LAYER_FLAGS.test(flag));
      } else {
        options[key] = value;
      }
    }
    return options;
  });
}

describe('agreement with the installed SDK', () => {
  it(`writes what cloudinary.url() writes, in ${RUNS} chains of accepted steps`, () => {
    const mapper = new TransformationMapper();
    fc.assert(
      fc.property(withAbsentValues(acceptedSteps(IDS)), (steps) => {
        const chain = mapper.map(steps);
        const components = chain.components(ROWS);
        expect(chain.path(ROWS)).toBe(pathOf(components));
        const url = cloudinary.url('image.jpg', {
          cloud_name: 'demo',
          transformation: forTheSdk(steps),
          urlAnalytics: false,
          force_version: false,
        });
        expect(['https://res.cloudinary.com/demo/image/upload', ...components, 'image.jpg'].join('/')).toBe(
          url,
        );
      }),
      { numRuns: RUNS },
    );
  }, 300_000);
});
