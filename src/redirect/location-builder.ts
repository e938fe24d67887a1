import { Inject, Injectable } from '@nestjs/common';
import { CLOUDINARY_ORIGIN } from '../cloudinary/cloudinary-url.service.js';
import { ENVIRONMENT } from '../platform/config/config.module.js';
import type { Environment } from '../platform/config/environment.js';
import { InvalidHostError, originText, type RequestOrigin } from '../platform/http/request-origin.js';

/** Path of the image that stands in for every image in `blank` mode. */
const BLANK_IMAGE_PATH = '/assets/blank.jpg';

/** Builds the `Location` of a signed URL, by the delivery mode. */
@Injectable()
export class LocationBuilder {
  /** Whether a Location depends on the origin by which a request came. */
  readonly needsOrigin: boolean;

  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Pick<Environment, 'deliveryMode' | 'publicUrl'>,
  ) {
    this.needsOrigin = environment.deliveryMode !== 'cloudinary' && environment.publicUrl === null;
  }

  /** @throws InvalidHostError (400) where the Location needs an origin and the request's own is malformed. */
  build(signedUrl: string, origin: RequestOrigin | null): string {
    const { deliveryMode } = this.environment;
    switch (deliveryMode) {
      case 'cloudinary':
        return signedUrl;
      case 'blank':
        return `${this.originOf(origin)}${BLANK_IMAGE_PATH}#${signedUrl}`;
      case 'local':
        return `${this.originOf(origin)}${signedUrl.slice(CLOUDINARY_ORIGIN.length)}`;
      default:
        return deliveryMode satisfies never;
    }
  }

  /** `PUBLIC_URL`, else the origin by which the client reached us. @throws InvalidHostError (400) */
  originOf(origin: RequestOrigin | null): string {
    const { publicUrl } = this.environment;
    if (publicUrl !== null) return publicUrl;
    if (origin === null) throw new InvalidHostError();
    return originText(origin);
  }
}
