import { Inject, Injectable } from '@nestjs/common';
import type { Account } from '../domain/account.js';
import { DownloadUnavailableError } from '../domain/download.errors.js';
import { ENVIRONMENT } from '../platform/config/config.module.js';
import type { Environment } from '../platform/config/environment.js';
import { InvalidHostError, originText, type RequestOrigin } from '../platform/http/request-origin.js';

/** Path of the image that replaces every image in `blank` mode. */
const BLANK_IMAGE_PATH = '/assets/blank.jpg';

/** Builds the `Location` for a signed URL, depending on the delivery mode. */
@Injectable()
export class LocationBuilder {
  /** Whether a Location depends on the origin of the request. */
  readonly needsOrigin: boolean;

  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Pick<Environment, 'deliveryMode' | 'publicUrl'>,
  ) {
    this.needsOrigin = environment.deliveryMode !== 'cloudinary' && environment.publicUrl === null;
  }

  /**
   * @throws InvalidHostError (400) if the Location needs an origin and the request's is malformed.
   * @throws DownloadUnavailableError (503) for a download in mode `local`, whose originals are not at Cloudinary.
   */
  build(signedUrl: string, { cloudName, deliveryBase }: Account, origin: RequestOrigin | null): string {
    const { deliveryMode } = this.environment;
    switch (deliveryMode) {
      case 'cloudinary':
        return signedUrl;
      case 'blank':
        return `${this.originOf(origin)}${BLANK_IMAGE_PATH}#${signedUrl}`;
      case 'local':
        if (!signedUrl.startsWith(deliveryBase)) {
          throw new DownloadUnavailableError('Cloudinary’s API has no originals of mode `local`');
        }
        return `${this.originOf(origin)}/${cloudName}${signedUrl.slice(deliveryBase.length)}`;
      default:
        return deliveryMode satisfies never;
    }
  }

  /** `PUBLIC_URL`, else the origin of the request. @throws InvalidHostError (400) */
  originOf(origin: RequestOrigin | null): string {
    const { publicUrl } = this.environment;
    if (publicUrl !== null) return publicUrl;
    if (origin === null) throw new InvalidHostError();
    return originText(origin);
  }
}
