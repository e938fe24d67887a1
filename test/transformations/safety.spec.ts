import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EFFECTS } from '../../src/transformations/effects.js';
import { FLAGS } from '../../src/transformations/flags.js';
import { InvalidTransformationError } from '../../src/transformations/transformation.errors.js';
import {
  type LayerAsset,
  MAX_STEPS,
  TransformationMapper,
} from '../../src/transformations/transformation.mapper.js';
import { PARAMETER_BY_CODE, PARAMETER_BY_KEY } from '../../src/transformations/vocabulary.js';
import { acceptedStep, acceptedSteps, withAbsentValues } from '../support/steps.arbitrary.js';

const RUNS = Number(process.env['PIXSEAL_AGREEMENT_RUNS'] ?? 2000);
const IDS = ['3d616b4e-a597-4b23-aa3d-d7de678f0ba6', '0b6a3f0e-2c0f-4c55-9d1b-5a5f2f1f7a11'];
const ROW: LayerAsset = { deliveryType: 'private', publicId: 'd47e609177b4' };
const rowsFor = (ids: readonly string[]): ReadonlyMap<string, LayerAsset> =>
  new Map(ids.map((id) => [id, ROW]));

/** From the URL's point of view, without the vocabulary: one parameter of one component. */
const PARAMETER = /^[a-z]{1,3}_(?:[A-Za-z0-9_.!~*'():;-]|%[0-9A-F]{2}|%[0-9a-fA-F]{2})+$/;
const LAYER = /^[lu]_(?:private:d47e609177b4|text:[A-Za-z0-9](?:[A-Za-z0-9_.-]|%20)*:[^:]+)$/;

function expectSafe(components: readonly string[]): void {
  for (const component of components) {
    for (const parameter of component.split(',')) {
      expect(parameter).toMatch(PARAMETER);
      if (/^[lu]_/.test(parameter)) {
        expect(parameter).toMatch(LAYER);
      }
      // Nothing may escape in the first decoding, which Cloudinary does before it splits the chain.
      expect(decodeURIComponent(parameter)).not.toMatch(/[,/]|\$\(|(?!\n)\p{Cc}/u);
    }
    expect(component).not.toMatch(/(?:^|,)(?:\$|if_|fn_|l_fetch|u_fetch|l_video|u_video|cs_icc)/);
  }
}

const hostileText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    'fit,l_x',
    'fit/l_x',
    '$x',
    'w_$x',
    'fetch:aHR0',
    'video:dog',
    'text:a:$(b)',
    '%2C',
    '%252C',
    '，',
    'a//b',
    '..',
  ),
  fc.constantFrom(
    'http://example.org',
    'remote:aHR0',
    'icc:x',
    'name:a,b',
    'auto:',
    '1e9',
    '0',
    '-1',
    '\r\n',
    '\u0000',
    ...IDS,
  ),
  fc.constantFrom(
    'text:Arial_40:Hi',
    'Arial',
    'sepia',
    'tiled',
    'layer_apply',
    'red',
    '#fff',
    '16:9',
    'iw / 2',
    'auto',
    'max',
  ),
);
const hostileValue = fc.oneof(
  hostileText,
  fc.double(),
  fc.integer({ min: -5, max: 400 }),
  fc.jsonValue({ maxDepth: 3 }),
  fc.array(hostileText, { maxLength: 3 }),
  fc.dictionary(
    fc.constantFrom(
      'text',
      'public_id',
      'type',
      'url',
      'font_family',
      'font_size',
      'width',
      'color',
      'text_style',
      'format',
    ),
    fc.oneof(hostileText, fc.integer()),
    { noNullPrototype: true },
  ),
);
const hostileStep = fc.dictionary(
  fc.oneof(
    fc.constantFrom(...PARAMETER_BY_KEY.keys()),
    fc.constantFrom(
      'raw_transformation',
      'if',
      '$a',
      'variables',
      '__proto__',
      'custom_function',
      'type',
      'cname',
    ),
  ),
  hostileValue,
  { maxKeys: 3, noNullPrototype: true },
);

describe('any content of a token', () => {
  const mapper = new TransformationMapper();
  const holds = (transformations: unknown): void => {
    let components: readonly string[];
    try {
      const chain = mapper.map(transformations);
      components = chain.components(rowsFor(chain.overlayIds));
    } catch (error) {
      expect(error).toBeInstanceOf(InvalidTransformationError);
      return;
    }
    expect(components.length).toBeLessThanOrEqual(MAX_STEPS);
    expectSafe(components);
  };

  it(`is refused or gives a safe chain: ${RUNS} JSON values`, () => {
    fc.assert(fc.property(fc.jsonValue(), holds), { numRuns: RUNS });
  }, 300_000);

  it(`is refused or gives a safe chain: ${RUNS} hostile steps`, () => {
    fc.assert(fc.property(fc.array(hostileStep, { maxLength: 3 }), holds), { numRuns: RUNS });
  }, 300_000);

  it(`is refused or gives a safe chain: ${RUNS} good steps with one bad value`, () => {
    fc.assert(
      fc.property(
        acceptedStep({ overlayIds: IDS }),
        fc.constantFrom(...PARAMETER_BY_KEY.keys()),
        hostileValue,
        (step, key, value) => {
          holds([{ ...step, [key]: value }]);
        },
      ),
      { numRuns: RUNS },
    );
  }, 300_000);

  it('gives a safe chain for accepted steps', () => {
    fc.assert(fc.property(withAbsentValues(acceptedSteps({ overlayIds: IDS })), holds), { numRuns: RUNS });
  }, 300_000);
});

describe('the table, read back', () => {
  const mapper = new TransformationMapper();

  it('finds every written value in the grammar of its short code, spelled the same', () => {
    fc.assert(
      fc.property(acceptedSteps({ overlayIds: IDS }), (steps) => {
        for (const parameter of mapper
          .map(steps)
          .components(rowsFor(IDS))
          .flatMap((each) => each.split(','))) {
          const [, code = '', value = ''] = /^([a-z]+)_(.*)$/.exec(parameter) ?? [];
          const entry = PARAMETER_BY_CODE.get(code);
          expect(entry).toBeDefined();
          if (entry?.kind === 'value') {
            expect(entry.grammar.write(value)).toBe(value);
          }
        }
      }),
      { numRuns: RUNS },
    );
  }, 300_000);

  it('is covered by the generator: every parameter, effect and flag', () => {
    const components = fc
      .sample(acceptedStep({ overlayIds: IDS, uploadedIds: IDS }), { numRuns: 20_000, seed: 1 })
      .flatMap((step) => {
        const chain = mapper.map([{ overlay: IDS[0], ...step }]);
        return chain.components(new Map(IDS.map((id) => [id, { deliveryType: 'upload', publicId: 'logo' }])));
      })
      .flatMap((component) => component.split(','));
    const seen = new Set(
      components.flatMap((parameter) =>
        parameter.startsWith('fl_')
          ? parameter
              .slice(3)
              .split('.')
              .map((flag) => `fl_${flag.split(':')[0] ?? ''}`)
          : parameter.startsWith('e_')
            ? [parameter.split(':')[0] ?? '']
            : [parameter.split('_')[0] ?? ''],
      ),
    );
    const expected = [
      ...[...PARAMETER_BY_CODE.keys()].filter((code) => code !== 'e' && code !== 'fl'),
      ...[...EFFECTS.keys()].map((name) => `e_${name}`),
      ...FLAGS.map(({ name }) => `fl_${name}`),
    ];
    expect(expected.filter((name) => !seen.has(name))).toEqual([]);
  });
});
