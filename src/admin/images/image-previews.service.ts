import { Injectable } from '@nestjs/common';
import { DirectoryService } from '../../directory/directory.service.js';
import { CloudinaryUrlService } from '../../cloudinary/cloudinary-url.service.js';
import { ImageNotFoundError } from '../../domain/image.errors.js';
import { currentContext, getActor } from '../../platform/actor/actor.js';
import type { RequestOrigin } from '../../platform/http/request-origin.js';
import { LocationBuilder } from '../../redirect/location-builder.js';
import { InsufficientScopeError } from '../requests/admin.errors.js';
import { NoLiveKeyError } from '../issuers/issuer.errors.js';
import { isActive } from '../../tokens/token.service.js';
import { TokenSigner } from '../../tokens/token-signer.js';
import { ImagesService } from './images.service.js';

/** Lifetime of a preview's token in seconds: enough for a browser to follow the redirect. */
const LIFETIME = 60;
const THUMBNAIL = [{ width: 320, height: 240, crop: 'limit' }];
/** The same as a chain. */
const THUMBNAIL_CHAIN = 'c_limit,h_240,w_320/';

/** Signs thumbnails of images: under the policy of their issuer, and without it. */
@Injectable()
export class ImagePreviews {
  constructor(
    private readonly images: ImagesService,
    private readonly directory: DirectoryService,
    private readonly signer: TokenSigner,
    private readonly urls: CloudinaryUrlService,
    private readonly locations: LocationBuilder,
  ) {}

  /**
   * Signs with the issuer's key, so that its policy applies: one that forbids the thumbnail forbids it here too.
   * @returns the path of an image's thumbnail.
   * @throws ImageNotFoundError (404), ImageDeletedError (410), NoLiveKeyError (409)
   */
  async sign(id: string): Promise<string> {
    const image = await this.images.get(id);
    const issuer = await this.directory.findIssuer(image.issuerId, currentContext()?.span);
    const now = Date.now();
    const key = issuer?.keys.find((each) => isActive(each, now));
    if (key === undefined) throw new NoLiveKeyError();
    const iat = Math.floor(now / 1_000);
    const token = this.signer.sign(
      {
        iss: image.issuerId,
        image_id: image.id,
        transformations: THUMBNAIL,
        sharinpix: { download: false },
        iat,
        exp: iat + LIFETIME,
      },
      key,
    );
    return `/images/${image.id}?token=${token}`;
  }

  /**
   * @returns the URL of a thumbnail without the issuer's policy.
   * @throws InsufficientScopeError (403) for a key that cannot change the policy, which may add a watermark.
   * @throws ImageNotFoundError (404), ImageDeletedError (410), InvalidHostError (400), AccountUnavailableError (503)
   */
  async locateOriginal(id: string, origin: RequestOrigin): Promise<string> {
    if (!getActor().scopes.includes('write')) throw InsufficientScopeError.ofScope('write');
    const { issuerId, publicId, deliveryType, version } = await this.images.get(id);
    const account = await this.directory.findAccountOf(issuerId, currentContext()?.span);
    // Deleted since, with its issuer.
    if (account === null) throw new ImageNotFoundError();
    const expiresAt = Math.floor(Date.now() / 1_000) + LIFETIME;
    const asset = { publicId, deliveryType, version, format: 'png' };
    const url = this.urls.signUrl(account, asset, THUMBNAIL_CHAIN, { expiresAt, notBefore: null });
    return this.locations.build(url, account, origin);
  }
}
