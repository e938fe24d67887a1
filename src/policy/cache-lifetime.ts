import type { Policy } from './policy.js';

/** How long browsers may cache a redirect: its freshness lifetime (RFC 9111 §4.2.1). */
export interface CacheLifetime {
  /** Seconds; 0 disables caching. */
  readonly maxAge: number;
  /** Seconds since 1970, Infinity for never. */
  readonly expiresAt: number;
}

/** No client caches it. */
export const NO_STORE: CacheLifetime = { maxAge: 0, expiresAt: Infinity };

/**
 * A redirect is cached at most until its token, or the URL that it leads to, expires.
 * @param tokenExpiresAt Of `expiryOf`; null without a token.
 * @param urlExpiresAt When the signed URL expires, in seconds since 1970; null for never.
 */
export function cacheLifetime(
  { redirectMaxAge: maxAge }: Policy,
  tokenExpiresAt: number | null,
  urlExpiresAt: number | null,
): CacheLifetime {
  if (maxAge === 0) return NO_STORE;
  return { maxAge, expiresAt: Math.min(tokenExpiresAt ?? Infinity, urlExpiresAt ?? Infinity) };
}

/** Seconds for which a browser may cache a redirect, as an integer. @param now Seconds since 1970. */
export const maxAgeAt = ({ maxAge, expiresAt }: CacheLifetime, now: number): number =>
  maxAge === 0 ? 0 : Math.max(0, Math.floor(Math.min(maxAge, expiresAt - now)));
