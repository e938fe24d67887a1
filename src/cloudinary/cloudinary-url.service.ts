import { Inject, Injectable } from '@nestjs/common';
import { v2 as cloudinary } from 'cloudinary';
import { ENVIRONMENT } from '../config/config.module.js';
import type { CloudinarySettings, Environment } from '../config/environment.js';
import type { DeliveryType } from '../images/image.js';
import { UrlTooLongError } from './cloudinary-url.errors.js';

/** Characters of a signed URL at the most. */
const MAX_URL_LENGTH = 4_096;

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

/** Signs delivery URLs. Pure; with `CloudinaryUploader` the only place that knows the SDK. */
@Injectable()
export class CloudinaryUrlService {
  private readonly settings: CloudinarySettings;

  constructor(@Inject(ENVIRONMENT) environment: Pick<Environment, 'cloudinary'>) {
    this.settings = environment.cloudinary;
  }

  /**
   * Signs the URL of an asset under a chain.
   * @param chain Components in their final spelling, in order; may be empty.
   * @param expiresAt Unix seconds at which an authenticated URL ends, or null for the configured duration; without
   * `CLOUDINARY_AUTH_TOKEN_KEY` a signed URL does not end.
   * @throws UrlTooLongError (422) past 4,096 characters.
   */
  signUrl(asset: DeliveredAsset, chain: readonly string[], expiresAt: number | null): string {
    const { cloudName, apiSecret, signature } = this.settings;
    const url = cloudinary.url(asset.publicId, {
      // The chain goes in as it stands: the SDK would sort the third base component, and knows no rows.
      raw_transformation: chain.join('/'),
      resource_type: 'image',
      type: asset.deliveryType,
      version: String(asset.version),
      format: asset.format,
      cloud_name: cloudName,
      api_secret: apiSecret,
      sign_url: true,
      secure: true,
      private_cdn: false,
      force_version: false,
      // The SDK would append `?_a=` with its own version to every URL.
      urlAnalytics: false,
      signature_algorithm: signature === 'sha1' ? 'sha1' : 'sha256',
      long_url_signature: signature === 'long',
      auth_token: this.authToken(expiresAt),
    });
    if (url.length > MAX_URL_LENGTH) throw new UrlTooLongError(url.length);
    return url;
  }

  /** When a URL that is signed now ends, in Unix seconds; null for never. @param expiresAt As for `signUrl`. */
  endOf(expiresAt: number | null): number | null {
    const token = this.authToken(expiresAt);
    return token === false ? null : token.expiration;
  }

  private authToken(expiresAt: number | null): { key: string; expiration: number } | false {
    const { authToken } = this.settings;
    if (authToken === null) return false;
    return {
      key: authToken.key,
      expiration: Math.floor(expiresAt ?? Date.now() / 1000 + authToken.duration),
    };
  }
}
