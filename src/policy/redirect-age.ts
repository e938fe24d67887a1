import type { TokenClaims } from '../tokens/token-claims.js';
import type { Policy } from './policy.js';

/**
 * Whole seconds for which a browser may keep a redirect, 0 for not at all: no longer than the token lasts, nor the
 * URL that it leads to.
 * @param claims Null without a token.
 * @param urlEndsAt When the signed URL ends, null for never.
 * @param now Seconds since 1970, as all times.
 */
export function redirectAge(
  { redirectMaxAge, document: { max_token_age: maxAge } }: Policy,
  claims: Pick<TokenClaims, 'expiresAt' | 'issuedAt'> | null,
  urlEndsAt: number | null,
  now: number,
): number {
  if (redirectMaxAge === 0) return 0;
  const agesAt = maxAge === undefined || claims?.issuedAt == null ? null : claims.issuedAt + maxAge;
  const ends = [claims?.expiresAt ?? null, urlEndsAt, agesAt].filter((end) => end !== null);
  return Math.max(0, Math.floor(Math.min(redirectMaxAge, ...ends.map((end) => end - now))));
}
