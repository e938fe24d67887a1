import { DELIVERY_TYPES, type DeliveryType } from '../domain/image.js';
import { RenderError } from './image/render.errors.js';

/** A parsed delivery URL's path, not yet decoded or verified. */
export interface DeliveryPath {
  readonly cloudName: string;
  readonly deliveryType: DeliveryType;
  /** The text between `s--` and `--`; null without one. */
  readonly signature: string | null;
  /** Components as in the URL. */
  readonly chain: readonly string[];
  /** As in the URL, `v1` for example; empty without one. */
  readonly version: string;
  /** As in the URL: percent-encoded. */
  readonly encodedPublicId: string;
  readonly publicId: string;
  /** The extension, in lower case; empty without one. */
  readonly format: string;
  /** The signed text: chain, public id and extension, as in the URL. */
  readonly signed: string;
}

const PATH = /^\/([\w-]+)\/image\/([a-z]+)\/(?:s--([\w-]{1,64})--\/)?(.+)$/;
const VERSION = /^v\d{1,16}$/;
/** A segment that Cloudinary reads as parameters if there is no version: short code, underscore, value. */
const COMPONENT = /^[a-z]{1,3}_[^/]+$/;

/**
 * Reads `/<cloud>/image/<type>/[s--…--/]<chain>/[v<version>/]<public id>.<format>`.
 * @throws RenderError (400) for any other path, (404) for a delivery type that no original can have.
 */
export function readDeliveryPath(path: string): DeliveryPath {
  const [, cloudName = '', type = '', signature = null, rest = ''] = PATH.exec(path) ?? [];
  if (rest === '') throw new RenderError(400, 'Invalid delivery URL');
  const deliveryType = DELIVERY_TYPES.find((known) => known === type);
  if (deliveryType === undefined) throw new RenderError(404, `Delivery type ${type} is not supported`);

  const segments = rest.split('/');
  const version = segments.findIndex((segment) => VERSION.test(segment));
  // Without a version, any segment with the form of a component is one. Signed URLs of this service always have a
  // version.
  const firstOther = segments.findIndex((segment) => !COMPONENT.test(segment));
  const chainLength =
    version >= 0 ? version : Math.min(firstOther < 0 ? Infinity : firstOther, segments.length - 1);
  const chain = segments.slice(0, chainLength);
  const source = segments.slice(version >= 0 ? version + 1 : chainLength).join('/');
  const dot = source.lastIndexOf('.');
  const hasFormat = dot > source.lastIndexOf('/') + 1;
  const encodedPublicId = hasFormat ? source.slice(0, dot) : source;
  return {
    cloudName,
    deliveryType,
    signature,
    chain,
    version: segments[version] ?? '',
    encodedPublicId,
    publicId: decode(encodedPublicId),
    format: hasFormat ? source.slice(dot + 1).toLowerCase() : '',
    signed: [...chain, source].join('/'),
  };
}

function decode(text: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(text);
  } catch {
    throw new RenderError(400, 'Invalid percent-encoding in the public id');
  }
  // No public id contains one, and Postgres accepts no NUL.
  if (/\p{Cc}/u.test(decoded)) throw new RenderError(400, 'Invalid character in the public id');
  return decoded;
}
