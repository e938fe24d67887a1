import { Inject, Injectable } from '@nestjs/common';
import type { Account } from '../domain/account.js';
import { DownloadUnavailableError } from '../domain/download.errors.js';
import { ENVIRONMENT } from '../platform/config/config.module.js';
import type { Environment } from '../platform/config/environment.js';
import { InvalidHostError, originText, type RequestOrigin } from '../platform/http/request-origin.js';
import { PUBLIC_PARAMETERS, type RedirectDecision, type RedirectRequest } from './decide-redirect.js';

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
  build(signedUrl: string, account: Account, origin: RequestOrigin | null): string {
    const { deliveryMode } = this.environment;
    switch (deliveryMode) {
      case 'cloudinary':
        return signedUrl;
      case 'blank':
        return `${this.originOf(origin)}${BLANK_IMAGE_PATH}#${signedUrl}`;
      case 'local':
        return `${this.originOf(origin)}${localPath(signedUrl, account)}`;
      default:
        return deliveryMode satisfies never;
    }
  }

  /**
   * What this service fetches of a proxied image: the signed URL, or in mode `local` the path of the renderer.
   * @throws DownloadUnavailableError (503) as `build` does.
   */
  targetOf(signedUrl: string, account: Account): string {
    return this.environment.deliveryMode === 'local' ? localPath(signedUrl, account) : signedUrl;
  }

  /**
   * The URLs of an image that a client may receive: the signed one and its Location, or for a proxied image twice this
   * service's own.
   * @throws InvalidHostError (400), DownloadUnavailableError (503)
   */
  linksOf(
    { url, imageId, account, policy }: Pick<RedirectDecision, 'url' | 'imageId' | 'account' | 'policy'>,
    query: RedirectRequest['query'],
    origin: RequestOrigin | null,
  ): { readonly url: string; readonly location: string } {
    if (!policy.isProxied) return { url, location: this.build(url, account, origin) };
    const own = this.ownUrl(imageId, query, origin);
    return { url: own, location: own };
  }

  /**
   * The URL of a proxied image: this service's own, with the token or the parameters of a public image.
   * @param imageId As requested, or as named by the token.
   * @throws InvalidHostError (400)
   */
  ownUrl(imageId: string, query: RedirectRequest['query'], origin: RequestOrigin | null): string {
    const names = query['token'] === undefined ? PUBLIC_PARAMETERS : ['token'];
    const parameters = new URLSearchParams();
    for (const name of names) {
      const value = query[name];
      if (typeof value === 'string') parameters.append(name, value);
    }
    const search = parameters.toString();
    return `${this.originOf(origin)}/images/${imageId}${search === '' ? '' : `?${search}`}`;
  }

  /** `PUBLIC_URL`, else the origin of the request. @throws InvalidHostError (400) */
  originOf(origin: RequestOrigin | null): string {
    const { publicUrl } = this.environment;
    if (publicUrl !== null) return publicUrl;
    if (origin === null) throw new InvalidHostError();
    return originText(origin);
  }
}

/** @throws DownloadUnavailableError (503) */
function localPath(signedUrl: string, { cloudName, deliveryBase }: Account): string {
  if (!signedUrl.startsWith(deliveryBase)) {
    throw new DownloadUnavailableError('Cloudinary’s API has no originals of mode `local`');
  }
  return `/${cloudName}${signedUrl.slice(deliveryBase.length)}`;
}
