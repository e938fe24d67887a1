import { v2 as cloudinary, type ConfigAndUrlOptions } from 'cloudinary';
import { API_SECRET, CLOUD } from './service.js';

/** The parts of a signed delivery URL, parsed by a grammar of its own, not by the code under test. */
export interface ParsedLocation {
  /** The blank image's URL before the `#` in `blank` mode, else empty. */
  readonly prefix: string;
  readonly cloud: string;
  readonly deliveryType: string;
  /** Empty if the URL has a `__cld_token__` instead. */
  readonly signature: string;
  readonly components: readonly string[];
  readonly version: string;
  readonly publicId: string;
  readonly format: string;
  /** When the URL's `__cld_token__` expires, in seconds since 1970; null without one. */
  readonly expiresAt: number | null;
}

const SIGNED_URL =
  /^https:\/\/res\.cloudinary\.com\/([\w-]+)\/image\/(upload|private|authenticated)\/(?:s--([\w-]{8}|[\w-]{32})--\/)?((?:[^/]+\/)*?)v(\d+)\/([^?#]+)\.([a-z0-9]+)(?:\?__cld_token__=exp=(\d+)~hmac=[0-9a-f]{64})?$/;
const COMPONENT = /^[a-z]{1,3}_[^,/$\s]+(,[a-z]{1,3}_[^,/$\s]+)*$/;
/** Parameters that name another asset: `l_` overlay, `u_` underlay, `d_` default image. */
const ASSET = /(?:^|,)([lud])_([^,]+)/g;
/** Codes that must never come from a token: remote code, conditions, video. */
const NEVER = /(?:^|,)(fn|if|vc|ac|so|eo|du)_/;

/** @throws if the Location is not a signed URL, with or without the blank image's prefix. */
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

/** What a Location is allowed to show. */
export interface AllowedLocation {
  /** Assets as layers write them: `private:d47e609177b4`. */
  readonly layers: readonly string[];
  /** Public ids of the images, percent-encoded. */
  readonly images: readonly string[];
  /** The number of components after the base chain; not checked if absent. */
  readonly steps?: number;
  /** The Location up to the `#`; not checked if absent. */
  readonly prefix?: string;
  /** How the account signs; SHA-1 by default. */
  readonly signature?: 'sha1' | 'sha256' | 'long';
  /** The key of `__cld_token__`, hexadecimal. */
  readonly authTokenKey?: string | undefined;
  readonly apiSecret?: string;
}

/** The chain before a token's steps, unless the issuer's policy has another one. */
export const DEFAULT_BASE_CHAIN: readonly string[] = [
  'c_fit,h_1920,w_1920',
  'fl_attachment',
  'dpr_auto,q_auto,f_auto',
];

/** The parts of a delivery URL before it is signed. */
export interface UrlParts {
  /** As registered. */
  readonly publicId: string;
  readonly deliveryType: string;
  readonly version: string | number;
  readonly format: string;
  readonly components: readonly string[];
}

/** The URL that Cloudinary's own SDK signs. */
export function signWithSdk(
  { publicId, deliveryType, version, format, components }: UrlParts,
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

/** The central check (threats.md). @throws if the Location shows an asset that does not belong to the issuer. */
export function assertLocation(location: string, allowed: AllowedLocation): ParsedLocation {
  const { layers, images, steps, prefix, signature = 'sha1', authTokenKey, apiSecret = API_SECRET } = allowed;
  const parsed = parseLocation(location);
  const { cloud, components, publicId, deliveryType, version, format, expiresAt } = parsed;
  const fault = (reason: string): Error => new Error(`${reason}: ${location}`);
  if (prefix !== undefined && parsed.prefix !== prefix) throw fault(`does not point to ${prefix}`);
  if (cloud !== CLOUD) throw fault('another cloud');
  if (!images.includes(publicId)) throw fault('another image');
  for (const component of components) {
    if (!COMPONENT.test(component)) throw fault(`not a component: ${component}`);
    if (NEVER.test(component)) throw fault(`never from a token: ${component}`);
    for (const [, code = '', target = ''] of component.matchAll(ASSET)) {
      const known = layers.includes(target) || (code !== 'd' && target.startsWith('text:'));
      if (!known) throw fault(`another asset: ${target}`);
    }
  }
  if (
    steps !== undefined &&
    components.filter((component) => !DEFAULT_BASE_CHAIN.includes(component)).length !== steps
  ) {
    throw fault(`not ${steps} steps`);
  }
  if ((authTokenKey === undefined) !== (expiresAt === null)) throw fault('signed by another method');
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
