import { Inject, Injectable } from '@nestjs/common';
import { CLOUDINARY_ORIGIN } from '../cloudinary/cloudinary-url.service.js';
import { ENVIRONMENT } from '../config/config.module.js';
import type { Environment } from '../config/environment.js';
import { originOf, type ReachedBy } from './origin.js';

/** Path of the picture that stands in for every image in `blank` mode. */
const BLANK_IMAGE_PATH = '/assets/blank.jpg';

/** Tells where a `Location` points, by the delivery mode. */
@Injectable()
export class DeliveryLocator {
  /** Whether a Location depends on the Host that a request came by. */
  readonly needsHost: boolean;
  /** Whether a Location depends on what a trusted proxy says of the request. */
  readonly needsForwarded: boolean;

  constructor(
    @Inject(ENVIRONMENT)
    private readonly environment: Pick<Environment, 'deliveryMode' | 'publicUrl' | 'trustProxy'>,
  ) {
    this.needsHost = environment.deliveryMode !== 'cloudinary' && environment.publicUrl === null;
    this.needsForwarded = this.needsHost && environment.trustProxy !== false;
  }

  /** @throws InvalidHostError (400) where the Location needs an origin and the request's own is malformed. */
  locate(signedUrl: string, reachedBy: ReachedBy): string {
    const { deliveryMode } = this.environment;
    switch (deliveryMode) {
      case 'cloudinary':
        return signedUrl;
      case 'blank':
        return `${this.originOf(reachedBy)}${BLANK_IMAGE_PATH}#${signedUrl}`;
      case 'local':
        return `${this.originOf(reachedBy)}${signedUrl.slice(CLOUDINARY_ORIGIN.length)}`;
      default:
        return deliveryMode satisfies never;
    }
  }

  /** `PUBLIC_URL`, else the origin the client reached us by. @throws InvalidHostError (400) */
  originOf(reachedBy: ReachedBy): string {
    return this.environment.publicUrl ?? originOf(reachedBy);
  }
}
