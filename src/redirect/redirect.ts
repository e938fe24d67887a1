import type { CacheLifetime } from '../policy/cache-lifetime.js';

/** The part of a redirect's response that depends on its Location alone. */
export interface RedirectPage {
  readonly head: string;
  readonly body: string;
}

/** What a decided redirect's response is made from; small enough to be cached. */
export interface Redirect {
  readonly issuerId: string;
  /** The key that signed the token; null without one. */
  readonly keyId: string | null;
  /** As requested, or as the token names it. */
  readonly imageId: string;
  /** The signed URL. */
  readonly url: string;
  /** Where it points, by the delivery mode. */
  readonly location: string;
  /** How long a client may cache it. */
  readonly lifetime: CacheLifetime;
  /** Written once, by the first response over HTTP. */
  page: RedirectPage | null;
}
