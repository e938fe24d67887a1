import { Injectable } from '@nestjs/common';
import { DirectoryService } from '../../directory/directory.service.js';
import { currentContext } from '../../platform/actor/actor.js';
import { NoLiveKeyError } from '../issuers/issuer.errors.js';
import { isActive } from '../../tokens/token.service.js';
import { TokenSigner } from '../../tokens/token-signer.js';
import { ImagesService } from './images.service.js';

/** Lifetime of a preview's token in seconds: enough for a browser to follow the redirect. */
const LIFETIME = 60;
const THUMBNAIL = [{ width: 320, height: 240, crop: 'limit' }];

/** Signs thumbnails of images with an issuer's key. The issuer's policy applies: one that forbids the thumbnail forbids it here too. */
@Injectable()
export class ImagePreviews {
  constructor(
    private readonly images: ImagesService,
    private readonly directory: DirectoryService,
    private readonly signer: TokenSigner,
  ) {}

  /** @returns the path of an image's thumbnail. @throws ImageNotFoundError (404), ImageDeletedError (410), NoLiveKeyError (409) */
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
}
