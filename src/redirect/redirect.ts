import type { TokenUse } from '../directory/counters/counters.js';
import type { AddressRange } from '../domain/ip-address.js';
import type { Rate } from '../platform/rate-limit/rate-limit.storage.js';
import type { CacheLifetime } from '../policy/cache-lifetime.js';
import type { RememberedVariant } from './proxy/variant.js';

/** The part of a redirect's response that depends only on its Location. */
export interface RedirectPage {
  readonly head: string;
  readonly body: string;
}

/** How this service delivers an image itself. */
export interface ProxiedImage {
  /** The signed URL, or in mode `local` the path of the renderer. It is never sent to a client. */
  readonly target: string;
  /** Whether a later request has the same target. */
  readonly isCacheable: boolean;
  /** `Content-Disposition`. */
  readonly disposition: string;
  /** Of the last client; null before the first view. */
  variant: RememberedVariant | null;
}

/** The data for a redirect's response; small enough to be cached. */
export interface Redirect {
  readonly issuerId: string;
  /** Whether a token admitted the request; otherwise the image is public. */
  readonly hasToken: boolean;
  /** The row of the key that verified the token; null without one, and for a key of a JWKS. */
  readonly keyId: string | null;
  /** The token's `bind_ip`; null for any address. */
  readonly addresses: readonly AddressRange[] | null;
  /** A use of a token with `max_uses`, to be counted before its image is sent; null for any other. */
  readonly use: TokenUse | null;
  /** The issuer's own rate, by its policy; null for none. */
  readonly rate: Rate | null;
  /** As requested, or as named by the token. */
  readonly imageId: string;
  /** The signed URL. */
  readonly url: string;
  /** Its target in this delivery mode; empty if the image is proxied. */
  readonly location: string;
  /** Null for a redirect. */
  readonly proxied: ProxiedImage | null;
  /** How long a client may cache it. */
  readonly lifetime: CacheLifetime;
  /** Head and body, created by the first response and reused by later ones of a cached redirect. */
  page: RedirectPage | null;
}
