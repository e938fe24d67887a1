import type { TokenClaims } from '../tokens/token-claims.js';
import type { Policy } from './policy.js';

/** How long browsers may keep a redirect. */
export interface RedirectLife {
  /** Seconds, 0 for not at all. */
  readonly most: number;
  /** Seconds since 1970, Infinity for no end. */
  readonly until: number;
}

const NOT_KEPT: RedirectLife = { most: 0, until: Infinity };

/**
 * A redirect is kept no longer than the token lasts, nor the URL that it leads to.
 * @param claims Null without a token.
 * @param urlEndsAt When the signed URL ends, in seconds since 1970; null for never.
 */
export function redirectLife(
  { redirectMaxAge: most, document: { max_token_age: maxAge = Infinity } }: Policy,
  claims: Pick<TokenClaims, 'expiresAt' | 'issuedAt'> | null,
  urlEndsAt: number | null,
): RedirectLife {
  if (most === 0) return NOT_KEPT;
  const { expiresAt, issuedAt } = claims ?? { expiresAt: null, issuedAt: null };
  const until = Math.min(expiresAt ?? Infinity, urlEndsAt ?? Infinity, (issuedAt ?? Infinity) + maxAge);
  return { most, until };
}

/** Whole seconds for which a browser may keep a redirect from now on. @param now Seconds since 1970. */
export const redirectAge = ({ most, until }: RedirectLife, now: number): number =>
  most === 0 ? 0 : Math.max(0, Math.floor(Math.min(most, until - now)));
