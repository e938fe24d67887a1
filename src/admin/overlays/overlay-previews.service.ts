import { Injectable } from '@nestjs/common';
import { DirectoryService } from '../../directory/directory.service.js';
import { OverlayNotFoundError } from '../../domain/overlay.errors.js';
import { currentContext } from '../../platform/actor/actor.js';
import { CloudinaryUrlService } from '../../cloudinary/cloudinary-url.service.js';
import { LocationBuilder } from '../../redirect/location-builder.js';
import type { RequestOrigin } from '../../platform/http/request-origin.js';
import { isFont } from '../../transformations/font-file.js';
import { NoPreviewError } from './overlay.errors.js';
import { OverlaysService } from './overlays.service.js';

/** Lifetime of a preview's URL in seconds, in modes whose URLs expire. */
const LIFETIME = 60;
const THUMBNAIL = 'c_limit,h_240,w_320/';

/** Signs thumbnails of overlays: tokens grant access to images only. */
@Injectable()
export class OverlayPreviews {
  constructor(
    private readonly directory: DirectoryService,
    private readonly overlays: OverlaysService,
    private readonly urls: CloudinaryUrlService,
    private readonly locations: LocationBuilder,
  ) {}

  /**
   * @returns the URL of an overlay's thumbnail.
   * @throws OverlayNotFoundError (404), NoPreviewError (409) for a font file, InvalidHostError (400)
   * @throws AccountUnavailableError (503)
   */
  async locate(id: string, origin: RequestOrigin): Promise<string> {
    const { issuerId, publicId, deliveryType, updatedAt } = await this.overlays.get(id);
    if (isFont(publicId)) throw new NoPreviewError();
    const now = Math.floor(Date.now() / 1_000);
    const version = Math.max(1, Math.floor(updatedAt.getTime() / 1_000));
    const account = await this.directory.findAccountOf(issuerId, currentContext()?.span);
    // Deleted since, with its issuer.
    if (account === null) throw new OverlayNotFoundError();
    const url = this.urls.signUrl(account, { publicId, deliveryType, version, format: 'png' }, THUMBNAIL, {
      expiresAt: now + LIFETIME,
      notBefore: null,
    });
    return this.locations.build(url, account, origin);
  }
}
