import { describe, expect, it } from 'vitest';
import { keepPolicyShares } from '../../src/policy/policy-shares.js';
import { keepShares, parseWithShares } from '../../src/tokens/share-json.js';
import { makeGate, makeIssuer, mint, SEED_ISSUER_ID, verify } from './token-fixtures.js';

describe('a number whose text has a point or an exponent', () => {
  it.each([
    ['1.0', '1.0'],
    ['1.00', '1.0'],
    ['-2.0', '-2.0'],
    ['100.0', '100.0'],
    ['1e0', '1.0'],
    ['10.0E-1', '1.0'],
    ['1.5e1', '15.0'],
    ['1', 1],
    ['1.5', 1.5],
    ['1.50', 1.5],
    ['"1.0"', '1.0'],
    ['"a: 1.0, b"', 'a: 1.0, b'],
  ])('%s is read as %j', (text, value) => {
    for (const [before, after] of [
      ['{"width":', '}'],
      ['{"width" : ', ' }'],
      ['{"a":[7,', '],"width":0}'],
    ] as const) {
      expect(parseWithShares(before + text + after)).toStrictEqual(
        before.startsWith('{"a"') ? { a: [7, value], width: 0 } : { width: value },
      );
    }
  });

  it('leaves all other values as JSON.parse has them, repeated names included', () => {
    const text = '{"__proto__":{"x":1.0},"a":1,"a":{"b":[null,true,"\\u0041",-0.5]}}';
    expect(parseWithShares(text)).toStrictEqual(JSON.parse(text.replace('1.0', '"1.0"')));
  });

  it('is not looked for in what is nested too deep', () => {
    const text = `{"a":1.0,"b":${'['.repeat(30_000)}${']'.repeat(30_000)}}`;
    const value: unknown = JSON.parse(text);
    expect(keepShares(text, value, () => null)).toBe(value);
  });
});

describe('a token', () => {
  it('keeps shares in its steps, and nowhere else', async () => {
    const payload = `{"iss":"${SEED_ISSUER_ID}","iat":1.0,"transformations":[{"width":1.0,"height":1,"x":2.0}]}`;
    const { claims } = await verify(makeGate(makeIssuer()), mint({ payload }));
    expect(claims.issuedAt).toBe(1);
    expect(claims.transformations).toStrictEqual([{ width: '1.0', height: 1, x: '2.0' }]);
  });
});

describe('a policy', () => {
  it('keeps shares in its steps, and nowhere else', () => {
    const text =
      '{"name":1.0,"policy":{"max_width":800.0,"mandatory_steps":[{"width":1.0}],"presets":{"a":[{"x":1.0,"y":1}]}}}';
    expect(keepPolicyShares(JSON.parse(text), text)).toStrictEqual({
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
    expect(keepPolicyShares(body, text)).toStrictEqual(body);
  });
});
