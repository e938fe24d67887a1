import { describe, expect, it } from 'vitest';
import { decodeJwt } from 'jose';
import { signImage, type SignImageOptions } from '../../packages/react/src/pixseal-server.js';

const OPTIONS: SignImageOptions = {
  issuerId: 'i',
  secret: 's',
  baseUrl: 'https://img.example.com',
  imageId: 'x',
  exp: 4_102_444_800,
};

/** The claims of each URL of a `srcset`, by its descriptor. */
const claimsOf = (srcSet: string): Record<string, unknown> =>
  Object.fromEntries(
    srcSet.split(', ').map((candidate) => {
      const [url = '', width = ''] = candidate.split(' ');
      return [width, decodeJwt(new URL(url).searchParams.get('token') ?? '')];
    }),
  );

describe('signImage', () => {
  it('signs a token for each width, which does not enlarge the image and displays it', async () => {
    const source = await signImage({ ...OPTIONS, widths: [640, 320, 640], transformations: [{ angle: 90 }] });
    const claims = { iss: 'i', exp: OPTIONS.exp, image_id: 'x', sharinpix: { download: false } };
    expect(claimsOf(source.srcSet)).toStrictEqual({
      '320w': { ...claims, transformations: [{ angle: 90 }, { width: 320, crop: 'limit' }] },
      '640w': { ...claims, transformations: [{ angle: 90 }, { width: 640, crop: 'limit' }] },
    });
    expect(source).toStrictEqual({
      src: source.srcSet.split(', ')[1]?.split(' ')[0],
      srcSet: source.srcSet,
      width: 640,
    });
  });

  it('crops to an aspect ratio, and returns the height', async () => {
    const { srcSet, width, height } = await signImage({ ...OPTIONS, widths: [1, 100], aspectRatio: 3 });
    expect(claimsOf(srcSet)).toMatchObject({
      '1w': { transformations: [{ width: 1, height: 1, crop: 'fill' }] },
      '100w': { transformations: [{ width: 100, height: 33, crop: 'fill' }] },
    });
    expect({ width, height }).toStrictEqual({ width: 100, height: 33 });
  });

  it('has five widths by default, and may sign downloads', async () => {
    const { srcSet } = await signImage({ ...OPTIONS, sharinpix: { download: true } });
    const claims = claimsOf(srcSet);
    expect(Object.keys(claims)).toStrictEqual(['320w', '640w', '960w', '1280w', '1920w']);
    expect(claims['320w']).toMatchObject({ sharinpix: { download: true } });
  });

  const WIDTHS = 'signImage: `widths` must be an array of whole numbers from 1 to 16384, at least one.';
  const IMAGE = "signImage: `imageId` must be the id of one image, not a list and not 'any'.";
  const RATIO = 'signImage: `aspectRatio` must be a positive number: width divided by height.';
  const rejected: readonly (readonly [options: object, message: string])[] = [
    ...[[], [0], [1.5], [16_385], ['100'], null].map((widths) => [{ widths }, WIDTHS] as const),
    ...['any', '', ['x'], undefined].map((imageId) => [{ imageId }, IMAGE] as const),
    ...[0, -1, Number.NaN, Infinity, '1'].map((aspectRatio) => [{ aspectRatio }, RATIO] as const),
    [
      { secret: undefined },
      'signToken: `secret` is undefined. Pass the secret of a key of the issuer, as text.',
    ],
    [{ width: 100 }, 'signToken: `width` is not an option.'],
    [{ baseUrl: 'img.example.com' }, 'imageUrl: `baseUrl` must be the absolute URL of the service'],
  ];
  it.each(rejected)('refuses %j', async (options, message) => {
    await expect(signImage({ ...OPTIONS, ...options })).rejects.toThrow(message);
  });
});
