import { afterEach, describe, expect, it, vi } from 'vitest';
import { pixsealMatchers, type PixsealMatchers } from '../../packages/testing/src/pixseal-testing.js';

expect.extend(pixsealMatchers);

/** A matcher with and without `.not`: both fail if there is nothing to compare. */
const ways = (received: unknown): readonly PixsealMatchers[] =>
  [expect(received), expect(received).not] as unknown as readonly PixsealMatchers[];

const tokenOf = (claims: unknown): string =>
  ['', Buffer.from(JSON.stringify(claims)).toString('base64url'), ''].join('.');

describe('toSealTransformation', () => {
  it('accepts a token without steps', () => {
    const [is, isNot] = ways(tokenOf({}));
    is?.toSealTransformation([]);
    isNot?.toSealTransformation([{ width: 400 }]);
  });

  const NO_TOKEN = 'Expected a token, or a URL with one.';
  const NO_STEPS = 'The token’s transformations are not a list of steps: ';

  it.each([
    ['no token', NO_TOKEN],
    [undefined, NO_TOKEN],
    ['https://img.example.com/images/i', NO_TOKEN],
    ['https://img.example.com/images/i?token=x', NO_TOKEN],
    [tokenOf(null), NO_TOKEN],
    [tokenOf(1), NO_TOKEN],
    [tokenOf([]), NO_TOKEN],
    [tokenOf({ transformations: null }), `${NO_STEPS}null`],
    [tokenOf({ transformations: [null] }), `${NO_STEPS}[null]`],
    [tokenOf({ transformations: [{ width: 400 }, 1] }), `${NO_STEPS}[{"width":400},1]`],
  ])('fails for %j, with .not too', (received, message) => {
    for (const way of ways(received)) {
      expect(() => way.toSealTransformation([{ width: 400 }])).toThrow(new Error(message));
    }
  });
});

describe('toDeliver', () => {
  const URL_OF_AN_IMAGE = 'https://img.example.com/images/i?token=a.b.c';
  const answer = (status: number, body: string): void => {
    vi.spyOn(globalThis, 'fetch').mockImplementation(() => Promise.resolve(new Response(body, { status })));
  };
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('compares the service’s explanation', async () => {
    answer(200, JSON.stringify({ steps: [{ component: 'w_400', ignored: [] }] }));
    const [is, isNot] = ways(URL_OF_AN_IMAGE);
    await is?.toDeliver(['w_400']);
    await isNot?.toDeliver(['w_300']);
  });

  it('fails for text that is not a URL, with .not too', async () => {
    for (const way of ways('no URL')) {
      await expect(way.toDeliver(['w_400'])).rejects.toThrow(new Error('Expected the URL of an image.'));
    }
  });

  const none = (status: number): string =>
    `The URL is not an image of Pixseal: https://img.example.com/images/i/explain returns ${status} without an explanation.`;

  it.each([
    [401, '{"code":"token_expired","detail":"Late."}', 'The URL is refused with 401 token_expired: Late.'],
    [502, '<html>', none(502)],
    [200, '<html>', none(200)],
    [200, 'null', none(200)],
    [200, '{}', none(200)],
    [200, '{"steps":[null]}', none(200)],
    [200, '{"steps":[{"component":"w_400"}]}', none(200)],
  ])('fails for the response %i %s, with .not too', async (status, body, message) => {
    answer(status, body);
    for (const way of ways(URL_OF_AN_IMAGE)) {
      await expect(way.toDeliver(['w_400'])).rejects.toThrow(new Error(message));
    }
  });
});
