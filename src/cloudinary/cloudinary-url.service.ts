import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Account, AuthTokenSettings } from '../domain/account.js';
import type { DeliveryType } from '../domain/image.js';
import { CLOCK_LEEWAY_SECONDS, type TokenClaims } from '../tokens/token-claims.js';
import { ALWAYS, NEVER, type ValidityPeriod } from '../tokens/validity-period.js';
import { authTokenOf } from './auth-token.js';
import { UrlTooLongError } from './cloudinary-url.errors.js';

/** Maximum number of characters in a signed URL. */
const MAX_URL_LENGTH = 4_096;

/** Seconds that a client has to load an image after the last instant at which its token is valid. */
const LOADING_SECONDS = 30;

/**
 * Seconds from a JWT's `exp` to the expiry of its `__cld_token__`: the leeway, and time for the image to load. A
 * constant, so that a token always has the same URL, which browsers and the service can cache.
 */
const GRACE_SECONDS = CLOCK_LEEWAY_SECONDS + LOADING_SECONDS;

/** The times of a JWT that its URL takes over: `exp` and `nbf`. */
export type UrlTimes = Pick<TokenClaims, 'expiresAt' | 'notBefore'>;

/** When a URL with a `__cld_token__` opens its image. */
export interface UrlPeriod {
  /** Unix seconds; null if it has always started. */
  readonly start: number | null;
  /** Unix seconds. */
  readonly expiration: number;
  /** Until when a redirect to it may be followed, in Unix seconds: its image then has time to load. */
  readonly followUntil: number;
  /** The time in which the same JWT leads to the same URL. */
  readonly unchanged: ValidityPeriod;
}

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
   * @param times For a `__cld_token__`, as in `periodOf`. A URL with a signature alone never expires.
   * @param now Milliseconds since 1970.
   * @throws UrlTooLongError (422) over 4,096 characters.
   */
  signUrl(
    account: Account,
    asset: DeliveredAsset,
    chain: string,
    times: UrlTimes | null,
    now = Date.now(),
  ): string {
    const source = `${encodePublicId(asset.publicId)}.${asset.format}`;
    const base = `${account.deliveryBase}/image/${asset.deliveryType}/`;
    const path = `${chain}v${asset.version}/${source}`;
    const { authToken } = account;
    const signed =
      authToken === null || authToken.withSignature
        ? `${base}s--${signatureOf(account, chain + source)}--/${path}`
        : base + path;
    const url =
      authToken === null
        ? signed
        : `${signed}?${authTokenOf(authToken.key, pathOf(signed), periodOf(authToken, times, now))}`;
    if (url.length > MAX_URL_LENGTH) throw new UrlTooLongError(url.length);
    return url;
  }

  /**
   * When a URL that is signed now opens its image.
   * @param times Null without a JWT. With `expiresAt` the URL expires a minute later, else after the account's duration;
   *   with `notBefore` it starts 30 seconds earlier: a JWT that is accepted within the leeway never leads to a URL that
   *   is not valid.
   * @param now Milliseconds since 1970.
   * @returns null if the account's URLs never expire.
   */
  periodOf({ authToken }: Account, times: UrlTimes | null, now = Date.now()): UrlPeriod | null {
    return authToken === null ? null : periodOf(authToken, times, now);
  }
}

const NO_TIMES: UrlTimes = { expiresAt: null, notBefore: null };

function periodOf(settings: AuthTokenSettings, times: UrlTimes | null, now: number): UrlPeriod {
  const { expiresAt, notBefore } = times ?? NO_TIMES;
  const start = notBefore === null ? null : Math.max(0, Math.floor(notBefore - CLOCK_LEEWAY_SECONDS));
  const end =
    expiresAt === null
      ? endAfter(settings, now)
      : { expiration: Math.floor(expiresAt + GRACE_SECONDS), unchanged: ALWAYS };
  return { start, ...end, followUntil: end.expiration - LOADING_SECONDS };
}

/** The end for a JWT without `exp`. */
function endAfter(
  { duration, round }: AuthTokenSettings,
  now: number,
): Pick<UrlPeriod, 'expiration' | 'unchanged'> {
  const end = now / 1000 + duration;
  if (round === 0) return { expiration: Math.floor(end), unchanged: NEVER };
  const expiration = Math.ceil(end / round) * round;
  const until = expiration - duration;
  return { expiration, unchanged: { from: (until - round) * 1000, until: until * 1000 } };
}

/** Source: Cloudinary, "Delivery URL signatures". The version and the delivery type are not signed. */
function signatureOf({ signature, apiSecret }: Account, signed: string): string {
  const digest = hash(signature === 'sha1' ? 'sha1' : 'sha256', signed + apiSecret, 'base64url');
  return digest.slice(0, signature === 'long' ? 32 : 8);
}

/** Characters of a path that the URL parser leaves as they are. */
const PLAIN_PATH = /^[\w.~!$&'()*+,;=:@%/|-]*$/;

/** The path of an https URL, as a browser sends it: the signed part of a `__cld_token__`. */
function pathOf(url: string): string {
  const path = url.slice(url.indexOf('/', 'https://'.length));
  // The URL parser costs as much as the HMAC.
  return PLAIN_PATH.test(path) ? path : new URL(url).pathname;
}

/** Characters that need no encoding. */
const UNRESERVED = /^[\w.~!*'():/-]*$/;

/** As Cloudinary serves it: `:` and `/` stay unencoded. A public id contains no `%` (public-id.ts). */
function encodePublicId(publicId: string): string {
  if (UNRESERVED.test(publicId)) return publicId;
  return encodeURIComponent(publicId).replaceAll('%3A', ':').replaceAll('%2F', '/');
}
