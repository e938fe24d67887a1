import { v2 as cloudinary } from 'cloudinary';
import { API_SECRET, CLOUD } from './service.js';

/** A signed delivery URL taken apart by its own rules, not by the code under test. */
export interface ParsedLocation {
  /** What stands before the signed URL in `blank` mode, else empty. */
  readonly prefix: string;
  readonly cloud: string;
  readonly deliveryType: string;
  readonly signature: string;
  readonly components: readonly string[];
  readonly version: string;
  readonly publicId: string;
  readonly format: string;
}

const SIGNED_URL =
  /^https:\/\/res\.cloudinary\.com\/([\w-]+)\/image\/(upload|private|authenticated)\/s--([\w-]{8}|[\w-]{32})--\/((?:[^/]+\/)*?)v(\d+)\/([^?#]+)\.([a-z0-9]+)$/;
const COMPONENT = /^[a-z]{1,3}_[^,/$\s]+(,[a-z]{1,3}_[^,/$\s]+)*$/;
const LAYER = /(?:^|,)([lu])_([^,]+)/g;

/** @throws where the Location is not a signed URL, with or without the blank picture's prefix. */
export function parseLocation(location: string): ParsedLocation {
  const hash = location.indexOf('#');
  const [prefix, url] = hash < 0 ? ['', location] : [location.slice(0, hash), location.slice(hash + 1)];
  const match = SIGNED_URL.exec(url);
  if (match === null) throw new Error(`not a signed URL: ${location}`);
  const [
    ,
    cloud = '',
    deliveryType = '',
    signature = '',
    chain = '',
    version = '',
    publicId = '',
    format = '',
  ] = match;
  const components = chain.split('/').filter((component) => component !== '');
  return { prefix, cloud, deliveryType, signature, components, version, publicId, format };
}

/** What a Location may show. */
export interface Approval {
  /** Public ids of the assets, as layers write them: `private:d47e609177b4`. */
  readonly layers: readonly string[];
  /** Public ids of the images, percent-encoded. */
  readonly images: readonly string[];
  /** Components after the base chain. */
  readonly steps?: number;
}

const BASE = ['c_fit,h_1920,w_1920', 'fl_attachment', 'dpr_auto,q_auto,f_auto'];

/** The test above all tests (threats.md). @throws where the Location shows anything but what the issuer has. */
export function approveLocation(location: string, { layers, images, steps }: Approval): ParsedLocation {
  const parsed = parseLocation(location);
  const { cloud, components, publicId, deliveryType, version, format, signature } = parsed;
  const fault = (reason: string): Error => new Error(`${reason}: ${location}`);
  if (cloud !== CLOUD) throw fault('another cloud');
  if (!images.includes(publicId)) throw fault('another image');
  for (const component of components) {
    if (!COMPONENT.test(component)) throw fault(`no component: ${component}`);
    for (const [, , target = ''] of component.matchAll(LAYER)) {
      if (!layers.includes(target) && !target.startsWith('text:')) throw fault(`another layer: ${target}`);
    }
  }
  if (steps !== undefined && components.filter((component) => !BASE.includes(component)).length !== steps) {
    throw fault(`not ${steps} steps`);
  }
  const expected = cloudinary.url(decodeURIComponent(publicId), {
    raw_transformation: components.join('/'),
    type: deliveryType,
    version,
    format,
    sign_url: true,
    secure: true,
    cloud_name: CLOUD,
    api_secret: API_SECRET,
    urlAnalytics: false,
    long_url_signature: signature.length === 32,
  });
  if (location.slice(location.indexOf('#') + 1) !== expected) throw fault(`the SDK signs ${expected}`);
  return parsed;
}
