import { hash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { ENVIRONMENT } from '../platform/config/config.module.js';
import type { CloudinarySettings, Environment } from '../platform/config/environment.js';
import type { DeliveryType } from '../domain/image.js';
import { CLOCK_LEEWAY_SECONDS } from '../tokens/token-claims.js';
import { UrlTooLongError } from './cloudinary-url.errors.js';
import { sdk } from './sdk.js';

/** Characters of a signed URL at the most. */
const MAX_URL_LENGTH = 4_096;

/** Seconds for which a client that was let in at the last instant can still request the image. */
const LOADING_SECONDS = 30;

/**
 * From a JWT's `exp` to the end of its `__cld_token__`, in seconds: the JWT is accepted for the leeway, and its image has
 * to load. A constant, so that one token has one URL, which browsers and the service can cache.
 */
const GRACE_SECONDS = CLOCK_LEEWAY_SECONDS + LOADING_SECONDS;

/** Where every signed URL begins: the shared host, as no setting of ours moves it. */
export const CLOUDINARY_ORIGIN = 'https://res.cloudinary.com';

/** An original as a delivery URL names it. */
export interface DeliveredAsset {
  readonly deliveryType: DeliveryType;
  readonly publicId: string;
  readonly version: number;
  /** Extension of the URL: the format that is delivered, not the original's. */
  readonly format: string;
}

/**
 * Signs delivery URLs as `cloudinary.url()` does, which judges them in the tests: its generality costs ten times the
 * SHA-1. Pure.
 */
@Injectable()
export class CloudinaryUrlService {
  private readonly settings: CloudinarySettings;
  /** What every URL begins with, up to the delivery type. */
  private readonly base: string;

  constructor(@Inject(ENVIRONMENT) environment: Pick<Environment, 'cloudinary'>) {
    this.settings = environment.cloudinary;
    this.base = `${CLOUDINARY_ORIGIN}/${this.settings.cloudName}/image/`;
    // Here it is on every redirect's way: not the first one's to wait for.
    if (this.settings.authToken !== null) sdk();
  }

  /**
   * Signs the URL of an asset under a chain.
   * @param chain Components in their final spelling as they stand in the URL, each with a `/` behind it; may be empty.
   * @param expiresAt The JWT's `exp` in Unix seconds: a URL with a `__cld_token__` expires a minute later. Null for the
   * configured duration; without `CLOUDINARY_AUTH_TOKEN_KEY` a signed URL never expires.
   * @throws UrlTooLongError (422) past 4,096 characters.
   */
  signUrl(asset: DeliveredAsset, chain: string, expiresAt: number | null): string {
    const source = `${encodePublicId(asset.publicId)}.${asset.format}`;
    const base = `${this.base}${asset.deliveryType}/`;
    const path = `${chain}v${asset.version}/${source}`;
    const token = this.authToken(expiresAt);
    const url =
      token === null
        ? `${base}s--${this.signatureOf(chain + source)}--/${path}`
        : withAuthToken(base + path, token);
    if (url.length > MAX_URL_LENGTH) throw new UrlTooLongError(url.length);
    return url;
  }

  /**
   * Until when a redirect to a URL that is signed now may be followed, in Unix seconds: its image then has time to load.
   * @param expiresAt As for `signUrl`.
   * @returns null for a URL that never expires.
   */
  endOf(expiresAt: number | null): number | null {
    const token = this.authToken(expiresAt);
    return token === null ? null : token.expiration - LOADING_SECONDS;
  }

  /** Source: Cloudinary, "Delivery URL signatures"; the version and the delivery type are not part of it. */
  private signatureOf(signed: string): string {
    const { signature, apiSecret } = this.settings;
    const digest = hash(signature === 'sha1' ? 'sha1' : 'sha256', signed + apiSecret, 'base64url');
    return digest.slice(0, signature === 'long' ? 32 : 8);
  }

  private authToken(expiresAt: number | null): AuthToken | null {
    const { authToken } = this.settings;
    if (authToken === null) return null;
    return {
      key: authToken.key,
      expiration: Math.floor(
        expiresAt === null ? Date.now() / 1000 + authToken.duration : expiresAt + GRACE_SECONDS,
      ),
    };
  }
}

interface AuthToken {
  readonly key: string;
  /** Unix seconds. */
  readonly expiration: number;
}

function withAuthToken(url: string, token: AuthToken): string {
  // The SDK's types want an ACL; the SDK itself takes a URL instead, and an ACL of null is none.
  const acl = null as unknown as string;
  return `${url}?${sdk().utils.generate_auth_token({ ...token, url: new URL(url).pathname, acl })}`;
}

/** What no encoding changes. */
const AS_IT_IS = /^[\w.~!*'():/-]*$/;

/** As Cloudinary serves it: everything encoded but `:` and `/`. No public id has a `%` (public-id.ts). */
function encodePublicId(publicId: string): string {
  if (AS_IT_IS.test(publicId)) return publicId;
  return encodeURIComponent(publicId).replaceAll('%3A', ':').replaceAll('%2F', '/');
}
