import { v2 as cloudinary, type ConfigAndUrlOptions } from 'cloudinary';
import { API_SECRET, CLOUD } from './service.js';

/** A signed delivery URL taken apart by its own rules, not by the code under test. */
export interface ParsedLocation {
  /** What stands before the signed URL in `blank` mode, else empty. */
  readonly prefix: string;
  readonly cloud: string;
  readonly deliveryType: string;
  /** Empty where the URL carries a `__cld_token__` instead. */
  readonly signature: string;
  readonly components: readonly string[];
  readonly version: string;
  readonly publicId: string;
  readonly format: string;
  /** Seconds since 1970 at which the URL's `__cld_token__` ends; null without one. */
  readonly expiresAt: number | null;
}

const SIGNED_URL =
  /^https:\/\/res\.cloudinary\.com\/([\w-]+)\/image\/(upload|private|authenticated)\/(?:s--([\w-]{8}|[\w-]{32})--\/)?((?:[^/]+\/)*?)v(\d+)\/([^?#]+)\.([a-z0-9]+)(?:\?__cld_token__=exp=(\d+)~hmac=[0-9a-f]{64})?$/;
const COMPONENT = /^[a-z]{1,3}_[^,/$\s]+(,[a-z]{1,3}_[^,/$\s]+)*$/;
/** What shows another asset: `l_` and `u_` a layer, `d_` the picture shown where there is none. */
const ASSET = /(?:^|,)([lud])_([^,]+)/g;
/** Codes that no token may ever lead to: remote code, conditions, video. */
const NEVER = /(?:^|,)(fn|if|vc|ac|so|eo|du)_/;

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
    exp,
  ] = match;
  if ((signature === '') === (exp === undefined)) throw new Error(`not signed once: ${location}`);
  const components = chain.split('/').filter((component) => component !== '');
  const expiresAt = exp === undefined ? null : Number(exp);
  return { prefix, cloud, deliveryType, signature, components, version, publicId, format, expiresAt };
}

/** What a Location may show. */
export interface Approval {
  /** Public ids of the assets, as layers write them: `private:d47e609177b4`. */
  readonly layers: readonly string[];
  /** Public ids of the images, percent-encoded. */
  readonly images: readonly string[];
  /** Components after the base chain. */
  readonly steps?: number;
  /** Where the Location points, up to the `#`; anything when absent. */
  readonly prefix?: string;
  /** How the account signs; SHA-1 by default. */
  readonly signature?: 'sha1' | 'sha256' | 'long';
  /** The key of `__cld_token__`, hexadecimal. */
  readonly authTokenKey?: string | undefined;
  readonly apiSecret?: string;
}

const BASE = ['c_fit,h_1920,w_1920', 'fl_attachment', 'dpr_auto,q_auto,f_auto'];

/** What a delivery URL shows. */
export interface Shown {
  /** As it is registered. */
  readonly publicId: string;
  readonly deliveryType: string;
  readonly version: string | number;
  readonly format: string;
  readonly components: readonly string[];
}

/** The URL that Cloudinary's own SDK signs. */
export function signWithSdk(
  { publicId, deliveryType, version, format, components }: Shown,
  signing: ConfigAndUrlOptions = {},
): string {
  return cloudinary.url(publicId, {
    raw_transformation: components.join('/'),
    type: deliveryType,
    version: String(version),
    format,
    sign_url: true,
    secure: true,
    cloud_name: CLOUD,
    api_secret: API_SECRET,
    urlAnalytics: false,
    auth_token: false,
    ...signing,
  });
}

/** The test above all tests (threats.md). @throws where the Location shows anything but what the issuer has. */
export function approveLocation(location: string, approval: Approval): ParsedLocation {
  const {
    layers,
    images,
    steps,
    prefix,
    signature = 'sha1',
    authTokenKey,
    apiSecret = API_SECRET,
  } = approval;
  const parsed = parseLocation(location);
  const { cloud, components, publicId, deliveryType, version, format, expiresAt } = parsed;
  const fault = (reason: string): Error => new Error(`${reason}: ${location}`);
  if (prefix !== undefined && parsed.prefix !== prefix) throw fault(`does not point to ${prefix}`);
  if (cloud !== CLOUD) throw fault('another cloud');
  if (!images.includes(publicId)) throw fault('another image');
  for (const component of components) {
    if (!COMPONENT.test(component)) throw fault(`no component: ${component}`);
    if (NEVER.test(component)) throw fault(`never from a token: ${component}`);
    for (const [, code = '', target = ''] of component.matchAll(ASSET)) {
      const known = layers.includes(target) || (code !== 'd' && target.startsWith('text:'));
      if (!known) throw fault(`another asset: ${target}`);
    }
  }
  if (steps !== undefined && components.filter((component) => !BASE.includes(component)).length !== steps) {
    throw fault(`not ${steps} steps`);
  }
  if ((authTokenKey === undefined) !== (expiresAt === null)) throw fault('signed in another way');
  const expected = signWithSdk(
    { publicId: decodeURIComponent(publicId), deliveryType, version, format, components },
    {
      api_secret: apiSecret,
      signature_algorithm: signature === 'sha1' ? 'sha1' : 'sha256',
      long_url_signature: signature === 'long',
      ...(authTokenKey === undefined || expiresAt === null
        ? {}
        : { auth_token: { key: authTokenKey, expiration: expiresAt } }),
    },
  );
  if (location.slice(location.indexOf('#') + 1) !== expected) throw fault(`the SDK signs ${expected}`);
  return parsed;
}
