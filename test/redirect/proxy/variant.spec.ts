import { describe, expect, it } from 'vitest';
import { cacheKeyOf, variantOf } from '../../../src/redirect/proxy/variant.js';

const URL = 'https://res.cloudinary.com/demo/image/authenticated/s--abcdefgh--/CHAIN/v1/a.jpg';
const PLAIN = URL.replace('CHAIN', 'c_fit,w_9');

describe('the class of a client', () => {
  it.each([
    [undefined, '*/*'],
    ['', '*/*'],
    ['*/*', '*/*'],
    ['image/*,*/*;q=0.8', '*/*'],
    ['image/webp', 'image/webp,*/*'],
    ['IMAGE/WEBP;q=0.1, */*', 'image/webp,*/*'],
    ['image/webp;q=0', '*/*'],
    ['image/webp;q=0.000, image/png', '*/*'],
    ['image/avif,image/webp,image/apng,*/*;q=0.8', 'image/avif,image/webp,*/*'],
    ['image/avif', 'image/avif,image/webp,*/*'],
    ['image/avif;q=0, image/webp', 'image/webp,*/*'],
    ['image/avif-sequence', '*/*'],
    ['x'.repeat(10_000), '*/*'],
  ])('with Accept %j is %s', (accept, expected) => {
    expect(variantOf(PLAIN, { accept }).headers).toStrictEqual({ accept: expected });
    expect(variantOf(PLAIN, { accept }).vary).toBe('Accept');
  });
});

describe('client hints', () => {
  it.each([
    ['w_9', '2', '300', {}, 'Accept'],
    ['my_dpr_auto_preset', '2', '300', {}, 'Accept'],
    ['q_auto,dpr_auto', '2', '300', { 'sec-ch-dpr': '2' }, 'Accept, Sec-CH-DPR'],
    ['dpr_auto', '2.625', '300', { 'sec-ch-dpr': '3' }, 'Accept, Sec-CH-DPR'],
    ['dpr_auto', '0.25', '300', { 'sec-ch-dpr': '1' }, 'Accept, Sec-CH-DPR'],
    ['dpr_auto', '99', '300', { 'sec-ch-dpr': '5' }, 'Accept, Sec-CH-DPR'],
    ['dpr_auto', 'two', '300', {}, 'Accept, Sec-CH-DPR'],
    ['dpr_auto', '-1', '300', {}, 'Accept, Sec-CH-DPR'],
    ['dpr_auto', '0', '300', {}, 'Accept, Sec-CH-DPR'],
    [
      'c_scale,w_auto',
      '1',
      '300',
      { 'sec-ch-dpr': '1', 'sec-ch-width': '300' },
      'Accept, Sec-CH-DPR, Sec-CH-Width',
    ],
    [
      'c_scale,w_auto:50:400',
      '1',
      '301',
      { 'sec-ch-dpr': '1', 'sec-ch-width': '400' },
      'Accept, Sec-CH-DPR, Sec-CH-Width',
    ],
    [
      'w_auto',
      '1',
      '999999',
      { 'sec-ch-dpr': '1', 'sec-ch-width': '5000' },
      'Accept, Sec-CH-DPR, Sec-CH-Width',
    ],
    ['w_auto', undefined, '1e3', {}, 'Accept, Sec-CH-DPR, Sec-CH-Width'],
  ])('of a chain with %s and the values %j and %j', (chain, dpr, width, hints, vary) => {
    const variant = variantOf(URL.replace('CHAIN', chain), { 'sec-ch-dpr': dpr, 'sec-ch-width': width });
    expect(variant).toStrictEqual({ headers: { accept: '*/*', ...hints }, vary });
  });
});

describe('the name of a cached image', () => {
  const keyOf = (url: string, headers: Record<string, string> = {}): string =>
    cacheKeyOf(url, variantOf(url, headers));

  it('is a digest of the URL and the variant, and of no expiry', () => {
    expect(keyOf(PLAIN)).toMatch(/^[0-9a-f]{64}$/);
    expect(keyOf(`${PLAIN}?__cld_token__=exp=1~hmac=a`)).toBe(keyOf(PLAIN));
    expect(keyOf(PLAIN, { accept: 'text/html', 'sec-ch-dpr': '2' })).toBe(keyOf(PLAIN));
  });

  it('differs with the signature, the chain, the version, the class and a hint', () => {
    const auto = URL.replace('CHAIN', 'dpr_auto');
    const keys = [
      keyOf(PLAIN),
      keyOf(PLAIN.replace('abcdefgh', 'abcdefgi')),
      keyOf(PLAIN.replace('w_9', 'w_8')),
      keyOf(PLAIN.replace('v1', 'v2')),
      keyOf(PLAIN, { accept: 'image/webp' }),
      keyOf(PLAIN, { accept: 'image/avif' }),
      keyOf(auto),
      keyOf(auto, { 'sec-ch-dpr': '2' }),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });
});
