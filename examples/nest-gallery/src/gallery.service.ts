import { BadGatewayException, Inject, Injectable } from '@nestjs/common';
import { deliveries, PixsealError, signToken, type Delivery } from '@pixseal/client';
import { GALLERY_SETTINGS, type GallerySettings } from './gallery.settings.js';

/** One image: the URL of its thumbnail, or the code of the problem why there is none. */
export type GalleryEntry =
  | { readonly id: string | null; readonly url: string }
  | { readonly id: string | null; readonly problem: string };

/** How long a listing can be used, in seconds. */
const VALIDITY = 3600;

@Injectable()
export class GalleryService {
  constructor(@Inject(GALLERY_SETTINGS) private readonly settings: GallerySettings) {}

  /**
   * Lists every image in one request to Pixseal, so that the page follows no redirect.
   * @throws BadGatewayException if Pixseal refuses the whole request.
   */
  async list(): Promise<GalleryEntry[]> {
    const { dsn, imageIds } = this.settings;
    const token = await signToken({
      ...dsn,
      imageId: imageIds,
      exp: Math.floor(Date.now() / 1000) + VALIDITY,
      transformations: [{ width: 400, height: 300, crop: 'fill' }],
      sharinpix: { download: false },
    });
    const items = imageIds.map((imageId) => ({ imageId, token }));
    const delivered = await deliveries({ baseUrl: dsn.baseUrl, items }).catch((error: unknown) => {
      if (error instanceof PixsealError) throw new BadGatewayException(error.message, { cause: error });
      throw error;
    });
    return delivered.map(entryOf);
  }
}

const entryOf = (delivery: Delivery): GalleryEntry =>
  delivery.problem === undefined
    ? { id: delivery.imageId, url: delivery.location }
    : { id: delivery.imageId, problem: delivery.problem.code };
