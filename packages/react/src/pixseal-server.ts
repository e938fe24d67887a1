/** `@pixseal/react/server`: signs the URLs of an image. For servers only: a secret in a browser is public. */
import {
  imageUrl,
  signToken,
  type Step,
  type TokenClaims,
  type TokenKey,
} from '../../client/src/pixseal-client.js';
import type { ImageSource } from './image-source.js';

export type { ImageSource } from './image-source.js';

if ('document' in globalThis) {
  throw new Error(
    '@pixseal/react/server signs with a secret, so it must not run in a browser. Call signImage on your server, and send its result to the page.',
  );
}

/** The options of `signImage`: those of `signToken`, for one image in several widths. */
export type SignImageOptions = Omit<TokenClaims, 'imageId' | 'baseUrl'> & TokenKey & ImageSizes;

/** The image, and the sizes to sign. */
export interface ImageSizes {
  /** The service's URL. */
  readonly baseUrl: string;
  /** The id of one image; `'any'` is refused, since a page would publish a token for every image. */
  readonly imageId: string;
  /** The widths to offer, in pixels. Default: 320, 640, 960, 1280 and 1920. */
  readonly widths?: readonly number[];
  /** Width divided by height: the image is cropped to it. By default the image keeps its own, and is not enlarged. */
  readonly aspectRatio?: number;
}

const DEFAULT_WIDTHS = [320, 640, 960, 1280, 1920];
/** The widest side that browsers and Cloudinary agree on. */
const MAX_WIDTH = 16_384;

/**
 * Signs a token for each width and returns their URLs, for `<PixsealImage source={…}>`. A token can be used for its own
 * steps alone: a page cannot request another width. Tokens display the image unless `sharinpix` says otherwise.
 * @throws TypeError for `widths` that are not whole numbers from 1 to 16384, an `aspectRatio` that is not a positive
 * number, the id `'any'`, and what `signToken` and `imageUrl` do not accept. The message contains no value.
 */
export async function signImage(options: SignImageOptions): Promise<ImageSource> {
  const { widths = DEFAULT_WIDTHS, aspectRatio, baseUrl, imageId, transformations = [], ...claims } = options;
  const ascending = requireWidths(widths);
  requireOneImage(imageId);
  if (aspectRatio !== undefined && !(Number.isFinite(aspectRatio) && aspectRatio > 0)) {
    throw new TypeError('signImage: `aspectRatio` must be a positive number: width divided by height.');
  }
  const urls = await Promise.all(
    ascending.map(async (width) => {
      const token = await signToken({
        ...claims,
        // The base chain of an issuer marks images as downloads unless the token says otherwise.
        sharinpix: { download: false, ...claims.sharinpix },
        imageId,
        transformations: [...transformations, resize(width, aspectRatio)],
      });
      return imageUrl({ baseUrl, imageId, token });
    }),
  );
  const width = ascending.at(-1) ?? 0;
  return {
    src: urls.at(-1) ?? '',
    srcSet: urls.map((url, index) => `${url} ${ascending[index] ?? 0}w`).join(', '),
    width,
    ...(aspectRatio === undefined ? {} : { height: heightOf(width, aspectRatio) }),
  };
}

const heightOf = (width: number, aspectRatio: number): number => Math.max(1, Math.round(width / aspectRatio));

const resize = (width: number, aspectRatio: number | undefined): Step =>
  aspectRatio === undefined
    ? { width, crop: 'limit' }
    : { width, height: heightOf(width, aspectRatio), crop: 'fill' };

/** Ascending, each once. */
function requireWidths(widths: unknown): number[] {
  const isWidth = (width: unknown): boolean =>
    typeof width === 'number' && Number.isInteger(width) && width >= 1 && width <= MAX_WIDTH;
  if (!Array.isArray(widths) || widths.length === 0 || !widths.every(isWidth)) {
    throw new TypeError(
      `signImage: \`widths\` must be an array of whole numbers from 1 to ${MAX_WIDTH}, at least one.`,
    );
  }
  return [...new Set(widths as number[])].sort((one, other) => one - other);
}

function requireOneImage(imageId: unknown): void {
  if (typeof imageId !== 'string' || imageId === '' || imageId === 'any') {
    throw new TypeError("signImage: `imageId` must be the id of one image, not a list and not 'any'.");
  }
}
