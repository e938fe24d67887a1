import type { TokenClaims } from './token-claims.js';
import { ImageNotInTokenError, InvalidImageIdError } from './token.errors.js';
import { canonicalUuid } from '../domain/uuid.js';

/**
 * The id of the requested image, in lower case: the token's if it names one, otherwise the path's.
 * @param claims null for a request without a token.
 * @throws InvalidImageIdError (400) if the path's id is used and is not a UUID
 * @throws ImageNotInTokenError (403) if the token lists images and the path's is not among them
 */
export function resolveImageId(claims: TokenClaims | null, pathId: string): string {
  if (claims?.imageId) return claims.imageId;
  const id = canonicalUuid(pathId);
  if (id === null) throw new InvalidImageIdError();
  if (claims?.imageIds && !claims.imageIds.includes(id)) throw new ImageNotInTokenError();
  return id;
}
