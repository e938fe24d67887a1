import { describe, expect, it } from 'vitest';
import { resolveImageId } from '../../src/tokens/image-binding.js';
import { readClaims, type TokenClaims } from '../../src/tokens/token-claims.js';
import { ImageNotInTokenError, InvalidImageIdError } from '../../src/tokens/token.errors.js';
import { IMAGE_ID, OTHER_IMAGE_ID, SEED_ISSUER_ID } from './token-fixtures.js';

const claimsWith = (binding: object): TokenClaims => readClaims({ ...binding }, SEED_ISSUER_ID, 0);

const NO_UUIDS = [
  '',
  'image.jpg',
  '\0',
  '..%2f',
  '%252e',
  `${IMAGE_ID}.jpg`,
  `${IMAGE_ID}\n`,
  ` ${IMAGE_ID}`,
  `{${IMAGE_ID}}`,
  IMAGE_ID.replaceAll('-', ''),
  IMAGE_ID.replace('1', '１'),
  IMAGE_ID.replace('c', 'g'),
];

describe('resolveImageId', () => {
  it.each([
    ['no token', null],
    ['a token without image_id', claimsWith({})],
    ['a token that lists it', claimsWith({ image_id: [OTHER_IMAGE_ID, IMAGE_ID] })],
    ['a token that lists it in upper case', claimsWith({ image_id: [IMAGE_ID.toUpperCase()] })],
  ])('takes the path’s id in lower case with %s', (_, claims) => {
    expect(resolveImageId(claims, IMAGE_ID)).toBe(IMAGE_ID);
    expect(resolveImageId(claims, IMAGE_ID.toUpperCase())).toBe(IMAGE_ID);
  });

  it.each([...NO_UUIDS, OTHER_IMAGE_ID])('returns the token’s own id whatever the path: %j', (pathId) => {
    expect(resolveImageId(claimsWith({ image_id: IMAGE_ID.toUpperCase() }), pathId)).toBe(IMAGE_ID);
  });

  it.each(NO_UUIDS)('refuses a used path’s id that is not a UUID: %j', (pathId) => {
    for (const claims of [null, claimsWith({}), claimsWith({ image_id: [IMAGE_ID] })]) {
      expect(() => resolveImageId(claims, pathId)).toThrow(InvalidImageIdError);
    }
  });

  it('refuses an image that the token does not list', () => {
    expect(() => resolveImageId(claimsWith({ image_id: [OTHER_IMAGE_ID] }), IMAGE_ID)).toThrow(
      ImageNotInTokenError,
    );
  });

  it('throws 400 and 403 with their codes', () => {
    expect(new InvalidImageIdError()).toMatchObject({ status: 400, code: 'invalid_image_id', headers: {} });
    expect(new ImageNotInTokenError()).toMatchObject({
      status: 403,
      code: 'image_not_in_token',
      headers: {},
    });
  });
});
