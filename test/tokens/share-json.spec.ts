import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readAdminBody } from '../../src/policy/policy-body.js';
import { keepShares, parseWithShares } from '../../src/tokens/share-json.js';
import type { Shape } from '../../src/transformations/grammar.js';
import { TEXT_LAYER_MEMBERS } from '../../src/transformations/text-layer.js';
import { InvalidTransformationError } from '../../src/transformations/transformation.errors.js';
import { TransformationMapper } from '../../src/transformations/transformation.mapper.js';
import { PARAMETERS } from '../../src/transformations/vocabulary.js';
import { acceptedSteps } from '../support/steps.arbitrary.js';
import { makeGate, makeIssuer, mint, SEED_ISSUER_ID, verify } from './token-fixtures.js';

/** A share as text, of a member that accepts both forms. */
const QUOTED_SHARE =
  /("(?:aspect_ratio|dpr|height|width|x|y|zoom|letter_spacing|line_spacing)":)"(-?\d+\.0)"/g;

describe('a number whose text has a point or an exponent', () => {
  it.each([
    ['1.0', '1.0'],
    ['1.00', '1.0'],
    ['-2.0', '-2.0'],
    ['100.0', '100.0'],
    ['1e0', '1.0'],
    ['10.0E-1', '1.0'],
    ['1.5e1', '15.0'],
    // More digits than a double has: an integer once parsed, and never a pixel.
    ['1.0000000000000000000001', '1.0'],
    ['0.99999999999999999999', '1.0'],
    ['0.9999999999999999', 0.9999999999999999],
    ['0.99999999999999999', '1.0'],
    ['-1.00000000000000001', '-1.0'],
    ['123456789012345.99', 123456789012345.98],
    ['9007199254740992.5', '9007199254740992.0'],
    ['999999999999999e-15', 0.999999999999999],
    ['99999999999999999999e-20', '1.0'],
    ['1e-400', '0.0'],
    [`0.${'0'.repeat(400)}1`, '0.0'],
    ['1', 1],
    ['1.5', 1.5],
    ['1.50', 1.5],
    ['"1.0"', '1.0'],
    ['"a: 1.0, b"', 'a: 1.0, b'],
  ])('%s is read as %j', (text, value) => {
    for (const [before, after] of [
      ['{"width":', '}'],
      ['{"width" : ', ' }'],
      ['{"a":[7],"width":', '}'],
      // The same beside another share.
      ['{"a":[7],"width":', ',"x":1.0}'],
    ] as const) {
      expect(parseWithShares(before + text + after)).toStrictEqual({
        ...(before.startsWith('{"a"') ? { a: [7] } : {}),
        width: value,
        ...(after.includes('x') ? { x: '1.0' } : {}),
      });
    }
  });

  it('is never an integer if it has a point or a negative exponent, whatever its digits', () => {
    const digits = fc.string({ unit: fc.constantFrom('0', '9', '1', '5'), minLength: 1, maxLength: 24 });
    fc.assert(
      fc.property(
        digits,
        digits,
        fc.constantFrom('', 'e-1', 'E-20', 'e-400'),
        (whole, fraction, exponent) => {
          const text = `${whole.replace(/^0+(?=.)/, '')}.${fraction}${exponent}`;
          const { width } = parseWithShares(`{"width":${text}}`) as { readonly width: unknown };
          expect(Number.isInteger(width)).toBe(false);
          expect(Number(width)).toBe(Number(text));
        },
      ),
      { numRuns: 5_000 },
    );
  });

  const hasBoth = (shape: Shape): boolean =>
    shape.kind === 'any_of'
      ? shape.of.some(hasBoth)
      : shape.kind === 'number' && shape.integer !== undefined && shape.decimal !== undefined;
  it.each([
    ...PARAMETERS.map(
      (parameter) => [parameter.key, parameter.kind === 'value' && hasBoth(parameter.grammar.shape)] as const,
    ),
    ...[...TEXT_LAYER_MEMBERS].map(([name, { shape }]) => [name, hasBoth(shape)] as const),
  ])('keeps its point as `%s` where that takes both forms: %s', (key, kept) => {
    expect(parseWithShares(`[{"${key}":2.0}]`)).toStrictEqual([{ [key]: kept ? '2.0' : 2 }]);
  });

  // Integers as Python, Ruby and Java write their floats.
  it.each([
    ['{"angle":90.0}', 'a_90'],
    ['{"angle":["vflip",20.0]}', 'a_vflip.20'],
    ['{"effect":["blur",300.0]}', 'e_blur:300'],
    ['{"effect":{"sepia":80.0}}', 'e_sepia:80'],
    ['{"effect":["vectorize",3.0,1.0,0.0,7.0]}', 'e_vectorize:3:1.0:0.0:7'],
    ['{"effect":["vectorize:3",1.0]}', 'e_vectorize:3:1.0'],
    ['{"effect":["vectorize:3",1.0,0.0,7.0]}', 'e_vectorize:3:1.0:0.0:7'],
    ['{"effect":["vectorize:3:0.5",1.0,7.0]}', 'e_vectorize:3:0.5:1.0:7'],
    ['{"effect":["vectorize",1.0]}', 'e_vectorize:1.0'],
    ['{"effect":["vectorize",0.5,1.0,7.0]}', 'e_vectorize:0.5:1.0:7'],
    ['{"effect":{"vectorize":1.0}}', 'e_vectorize:1.0'],
    ['{"effect":{"vectorize":3.0}}', 'e_vectorize:3'],
    ['{"border":{"width":4.0}}', 'bo_4px_solid_black'],
    ['{"radius":[20.0,0],"opacity":50.0,"quality":80.0,"page":2.0}', 'o_50,pg_2,q_80,r_20:0'],
    ['{"x":-0.0,"y":-2.0}', 'x_0.0,y_-2.0'],
    ['{"width":10.0,"height":0.0001}', 'h_0.0001,w_10.0'],
    [
      '{"overlay":{"text":"Hi","font_family":"Arial","font_size":40.0,"letter_spacing":2.0}}',
      'l_text:Arial_40_letter_spacing_2.0:Hi',
    ],
  ])('of the step %s becomes %s', (step, component) => {
    const [mapped] = new TransformationMapper().map([parseWithShares(step)]).steps;
    expect(mapped?.component(new Map())).toBe(component);
    expect(mapped?.ignored).toEqual([]);
  });

  it.each([
    ['width', '100.0', '100.0', '100'],
    ['width', '400.000', '400.0', '400'],
    ['width', '10.1', '10.1', null],
    ['width', '37.5', '37.5', null],
    ['height', '1.0E2', '100.0', '100'],
    ['width', '0.0', '0.0', null],
    ['x', '12.5', '12.5', null],
    ['y', '-11.0', '-11.0', '-11'],
  ])('is refused as the fraction of `%s` beyond 1,000 %%, with its range: %s', (key, text, value, pixels) => {
    const map = (): unknown => new TransformationMapper().map([parseWithShares(`{"${key}":${text}}`)]);
    const hint = `For pixels, write ${String(pixels)}: a number with a decimal point is a fraction`;
    expect(map).toThrow(InvalidTransformationError);
    expect(map).toThrow(`\`${key}\` cannot be ${value}.`);
    expect(map).toThrow(/a fraction from (?:-10|0\.0001) to 10, with a decimal point \(1\.0 is 100 %\)/);
    if (pixels === null) expect(map).not.toThrow('For pixels');
    else expect(map).toThrow(hint);
  });

  it('yields the chain of the text `1.0`, in any accepted steps', () => {
    const overlayIds = ['3d616b4e-a597-4b23-aa3d-d7de678f0ba6'];
    const rows = new Map(
      overlayIds.map((id) => [id, { deliveryType: 'private', publicId: 'logo' } as const]),
    );
    const chainOf = (steps: unknown): readonly string[] =>
      new TransformationMapper().map(steps).components(rows);
    fc.assert(
      fc.property(acceptedSteps({ overlayIds }), (steps) => {
        const text = JSON.stringify(steps);
        expect(chainOf(parseWithShares(text.replace(QUOTED_SHARE, '$1$2')))).toEqual(chainOf(steps));
      }),
      { numRuns: 2_000 },
    );
  }, 60_000);

  it.each(['{"transformation":1.0}', '{"overlay":{"text":19.0,"text_style":"a"}}', '{"prefix":1.0}'])(
    'is no text: %s',
    (step) => {
      expect(() => new TransformationMapper().map([parseWithShares(step)])).toThrow(
        InvalidTransformationError,
      );
    },
  );

  it('does not change the other values of JSON.parse, repeated names included', () => {
    const text = '{"__proto__":{"x":1.0},"a":1,"a":{"b":[null,true,"\\u0041",-0.5]}}';
    expect(parseWithShares(text)).toStrictEqual(JSON.parse(text.replace('1.0', '"1.0"')));
  });

  it('is ignored in a text that is nested too deeply', () => {
    const text = `{"a":1.0,"b":${'['.repeat(30_000)}${']'.repeat(30_000)}}`;
    const value: unknown = JSON.parse(text);
    expect(keepShares(text, value, () => null)).toBe(value);
  });
});

describe('a token', () => {
  it('keeps shares only in its steps', async () => {
    const payload = `{"iss":"${SEED_ISSUER_ID}","iat":1.0,"transformations":[{"width":1.0,"height":1,"x":2.0}]}`;
    const { claims } = await verify(makeGate(makeIssuer()), mint({ payload }));
    expect(claims.issuedAt).toBe(1);
    expect(claims.transformations).toStrictEqual([{ width: '1.0', height: 1, x: '2.0' }]);
  });
});

describe('a policy', () => {
  it('keeps shares only in its steps', () => {
    const text =
      '{"name":1.0,"policy":{"max_width":800.0,"mandatory_steps":[{"width":1.0}],"presets":{"a":[{"x":1.0,"y":1}]}}}';
    expect(readAdminBody(JSON.parse(text), text)).toStrictEqual({
      name: 1,
      policy: {
        max_width: 800,
        mandatory_steps: [{ width: '1.0' }],
        presets: { a: [{ x: '1.0', y: 1 }] },
      },
    });
  });

  it.each(['[1.0]', '{"policy":[1.0]}', '{"policy":1.0}', '{"x":1.0}'])('is not read from %s', (text) => {
    const body: unknown = JSON.parse(text);
    expect(readAdminBody(body, text)).toStrictEqual(body);
  });
});
