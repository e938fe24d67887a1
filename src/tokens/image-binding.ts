import type { TokenClaims } from './token-claims.js';
import { ImageNotInTokenError, InvalidImageIdError } from './token.errors.js';
import { canonicalUuid } from '../domain/uuid.js';

/**
 * The id of the image a request is for, in lower case: the token's own where it names one, the path's otherwise.
 * @param claims null for a request without a token.
 * @throws InvalidImageIdError (400) where the path's id counts and is no UUID
 * @throws ImageNotInTokenError (403) where the token lists images and the path's is not among them
 */
export function resolveImageId(claims: TokenClaims | null, pathId: string): string {
  if (claims?.imageId) return claims.imageId;
  const id = canonicalUuid(pathId);
  if (id === null) throw new InvalidImageIdError();
  if (claims?.imageIds && !claims.imageIds.includes(id)) throw new ImageNotInTokenError();
  return id;
}
