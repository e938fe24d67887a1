import { Injectable } from '@nestjs/common';
import { DirectoryService } from '../../directory/directory.service.js';
import { NoLiveKeyError } from '../issuers/issuer.errors.js';
import { isActive } from '../../tokens/token.service.js';
import { TokenSigner } from '../../tokens/token-signer.js';
import { ImagesService } from './images.service.js';

/** Seconds that a preview's token counts: as long as a browser may take to follow a redirect. */
const LIFETIME = 60;
/** The one thing that it shows. */
const THUMBNAIL = [{ width: 320, height: 240, crop: 'limit' }];

/**
 * Signs thumbnails for people who may look at the row: the issuer's secret stays here. The redirect is the one that
 * everybody's tokens get, so a policy that forbids the thumbnail forbids it here too.
 */
@Injectable()
export class ImagePreviews {
  constructor(
    private readonly images: ImagesService,
    private readonly directory: DirectoryService,
    private readonly signer: TokenSigner,
  ) {}

  /** The path of an image's thumbnail. @throws ImageNotFoundError (404), ImageDeletedError (410), NoLiveKeyError (409) */
  async sign(id: string): Promise<string> {
    const image = await this.images.get(id);
    const issuer = await this.directory.findIssuer(image.issuerId);
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
