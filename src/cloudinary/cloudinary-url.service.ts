import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Account } from '../domain/account.js';
import type { DeliveryType } from '../domain/image.js';
import { CLOCK_LEEWAY_SECONDS } from '../tokens/token-claims.js';
import { UrlTooLongError } from './cloudinary-url.errors.js';
import { sdk } from './sdk.js';

/** Maximum number of characters in a signed URL. */
const MAX_URL_LENGTH = 4_096;

/** Seconds that a client has to load an image after the last instant at which its token is valid. */
const LOADING_SECONDS = 30;

/**
 * Seconds from a JWT's `exp` to the expiry of its `__cld_token__`: the leeway, and time for the image to load. A
 * constant, so that a token always has the same URL, which browsers and the service can cache.
 */
const GRACE_SECONDS = CLOCK_LEEWAY_SECONDS + LOADING_SECONDS;

/** An original in a delivery URL. */
export interface DeliveredAsset {
  readonly deliveryType: DeliveryType;
  readonly publicId: string;
  readonly version: number;
  /** Extension of the URL: the delivered format, not the original's. */
  readonly format: string;
}

/**
 * Signs delivery URLs as `cloudinary.url()` does, which is too general to be fast: it costs ten times the SHA-1. The
 * tests compare both. Pure.
 */
@Injectable()
export class CloudinaryUrlService {
  /**
   * Signs the URL of an asset under a chain.
   * @param account Its secret signs; its host delivers.
   * @param chain Components as they appear in the URL, each followed by `/`; may be empty.
   * @param expiresAt The JWT's `exp` in Unix seconds: a URL with a `__cld_token__` expires a minute later. Null for the
   *   configured duration; without `CLOUDINARY_AUTH_TOKEN_KEY` a signed URL never expires.
   * @param now Milliseconds since 1970.
   * @throws UrlTooLongError (422) over 4,096 characters.
   */
  signUrl(
    account: Account,
    asset: DeliveredAsset,
    chain: string,
    expiresAt: number | null,
    now = Date.now(),
  ): string {
    const source = `${encodePublicId(asset.publicId)}.${asset.format}`;
    const base = `${account.deliveryBase}/image/${asset.deliveryType}/`;
    const path = `${chain}v${asset.version}/${source}`;
    const token = authTokenOf(account, expiresAt, now);
    const url =
      token === null
        ? `${base}s--${signatureOf(account, chain + source)}--/${path}`
        : withAuthToken(base + path, token);
    if (url.length > MAX_URL_LENGTH) throw new UrlTooLongError(url.length);
    return url;
  }

  /**
   * Until when a redirect to a URL signed now may be followed, in Unix seconds: its image then has time to load.
   * @param expiresAt As for `signUrl`, and `now` too.
   * @returns null if the URL never expires.
   */
  expiryOf(account: Account, expiresAt: number | null, now = Date.now()): number | null {
    const token = authTokenOf(account, expiresAt, now);
    return token === null ? null : token.expiration - LOADING_SECONDS;
  }
}

/** Source: Cloudinary, "Delivery URL signatures". The version and the delivery type are not signed. */
function signatureOf({ signature, apiSecret }: Account, signed: string): string {
  const digest = hash(signature === 'sha1' ? 'sha1' : 'sha256', signed + apiSecret, 'base64url');
  return digest.slice(0, signature === 'long' ? 32 : 8);
}

interface AuthToken {
  readonly key: string;
  /** Unix seconds. */
  readonly expiration: number;
}

function authTokenOf({ authToken }: Account, expiresAt: number | null, now: number): AuthToken | null {
  if (authToken === null) return null;
  return {
    key: authToken.key,
    expiration: Math.floor(expiresAt === null ? now / 1000 + authToken.duration : expiresAt + GRACE_SECONDS),
  };
}

function withAuthToken(url: string, token: AuthToken): string {
  // The SDK's types require an ACL; the SDK itself accepts a URL instead, and ignores an ACL of null.
  const acl = null as unknown as string;
  return `${url}?${sdk().utils.generate_auth_token({ ...token, url: new URL(url).pathname, acl })}`;
}

/** Characters that need no encoding. */
const UNRESERVED = /^[\w.~!*'():/-]*$/;

/** As Cloudinary serves it: `:` and `/` stay unencoded. A public id contains no `%` (public-id.ts). */
function encodePublicId(publicId: string): string {
  if (UNRESERVED.test(publicId)) return publicId;
  return encodeURIComponent(publicId).replaceAll('%3A', ':').replaceAll('%2F', '/');
}
