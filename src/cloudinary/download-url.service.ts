import { Injectable } from '@nestjs/common';
import type { Account } from '../domain/account.js';
import { DownloadUnavailableError } from '../domain/download.errors.js';
import type { DeliveryType } from '../domain/image.js';
import { sdk } from './sdk.js';

/** An original as Cloudinary stores it. */
export interface StoredAsset {
  readonly deliveryType: DeliveryType;
  readonly publicId: string;
  /** Null if unknown: the API then delivers the file as it is stored. */
  readonly format: string | null;
}

/** How the API delivers an original. */
export interface DownloadTerms {
  /** Whether browsers save the file instead of showing it. */
  readonly attachment: boolean;
  /** Unix seconds, a whole number. */
  readonly expiresAt: number;
}

/**
 * Signs links to `/image/download` of Cloudinary's API, which delivers an original without a transformation until the
 * link expires. Pure.
 */
@Injectable()
export class DownloadUrlService {
  /**
   * @param now Milliseconds since 1970.
   * @throws DownloadUnavailableError (503) without an API key of the account.
   */
  sign(
    account: Account,
    { publicId, deliveryType, format }: StoredAsset,
    { attachment, expiresAt }: DownloadTerms,
    now: number,
  ): string {
    if (account.apiKey === null) {
      throw new DownloadUnavailableError(
        'the service has no API key of the account. Its operator must set CLOUDINARY_URL',
      );
    }
    // The SDK's types lack most of its options.
    const options = {
      type: deliveryType,
      ...(attachment ? { attachment } : {}),
      expires_at: expiresAt,
      timestamp: Math.floor(now / 1000),
      cloud_name: account.cloudName,
      api_key: account.apiKey,
      api_secret: account.apiSecret,
      upload_prefix: account.uploadPrefix,
      signature_algorithm: account.signature === 'sha256' ? 'sha256' : 'sha1',
    };
    // They require a format too; the SDK itself omits an empty one.
    return sdk().utils.private_download_url(publicId, format ?? '', options);
  }
}
