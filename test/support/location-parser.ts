import { v2 as cloudinary, type ConfigAndUrlOptions } from 'cloudinary';
import { API_SECRET, CLOUD } from './service.js';

/** The parts of a signed delivery URL, parsed by a grammar of its own, not by the code under test. */
export interface ParsedLocation {
  /** The blank image's URL before the `#` in `blank` mode, else empty. */
  readonly prefix: string;
  /** Of Cloudinary or of the account. */
  readonly host: string;
  /** Empty on a private CDN. */
  readonly cloud: string;
  readonly deliveryType: string;
  /** Empty if the URL has only a `__cld_token__`. */
  readonly signature: string;
  readonly components: readonly string[];
  readonly version: string;
  readonly publicId: string;
  readonly format: string;
  /** When the URL's `__cld_token__` starts, in seconds since 1970; null without `st`. */
  readonly startsAt: number | null;
  /** When the URL's `__cld_token__` expires, in seconds since 1970; null without one. */
  readonly expiresAt: number | null;
}

const SIGNED_URL =
  /^https:\/\/([a-z0-9.-]+)(?:\/([\w-]+))?\/image\/(upload|private|authenticated)\/(?:s--([\w-]{8}|[\w-]{32})--\/)?((?:[^/]+\/)*?)v(\d+)\/([^?#]+)\.([a-z0-9]+)(?:\?__cld_token__=(?:st=(\d+)~)?exp=(\d+)~hmac=[0-9a-f]{64})?$/;
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
    host = '',
    cloud = '',
    deliveryType = '',
    signature = '',
    chain = '',
    version = '',
    publicId = '',
    format = '',
    st,
    exp,
  ] = match;
  if (signature === '' && exp === undefined) throw new Error(`not signed: ${location}`);
  const components = chain.split('/').filter((component) => component !== '');
  return {
    prefix,
    host,
    cloud,
    deliveryType,
    signature,
    components,
    version,
    publicId,
    format,
    startsAt: st === undefined ? null : Number(st),
    expiresAt: exp === undefined ? null : Number(exp),
  };
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
  /** Whether the URL has its signature beside the `__cld_token__`. */
  readonly keepsSignature?: boolean;
  /** The SDK's options of the account's host; by default it has none of its own. */
  readonly host?: Pick<ConfigAndUrlOptions, 'private_cdn' | 'secure_distribution'>;
  readonly apiSecret?: string;
  /** By default that of the environment's account. */
  readonly cloudName?: string;
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

/** A `__cld_token__` in the SDK's spelling. */
interface AuthToken {
  readonly key: string;
  readonly start_time?: number;
  readonly expiration: number;
}

/** The URL that Cloudinary's own SDK signs, with its `__cld_token__` too: the SDK writes one of them. */
function signWithSdkTwice(parts: UrlParts, signing: ConfigAndUrlOptions, token: AuthToken): string {
  const url = signWithSdk(parts, signing);
  // The SDK's types require an ACL; the SDK itself accepts a URL instead, and ignores an ACL of null.
  const acl = null as unknown as string;
  return `${url}?${cloudinary.utils.generate_auth_token({ ...token, url: new URL(url).pathname, acl })}`;
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
  const { host = {}, keepsSignature = false, cloudName = CLOUD } = allowed;
  const parsed = parseLocation(location);
  const { cloud, components, publicId, deliveryType, version, format, startsAt, expiresAt } = parsed;
  const fault = (reason: string): Error => new Error(`${reason}: ${location}`);
  if (prefix !== undefined && parsed.prefix !== prefix) throw fault(`does not point to ${prefix}`);
  if (cloud !== (host.private_cdn === true ? '' : cloudName)) throw fault('another cloud');
  if (!images.includes(publicId)) throw fault('another image');
  for (const component of components) {
    if (!COMPONENT.test(component)) throw fault(`not a component: ${component}`);
    if (NEVER.test(component)) throw fault(`never from a token: ${component}`);
    for (const [, code = '', target = ''] of component.matchAll(ASSET)) {
      const [, font] = /^text:(.+\.(?:ttf|otf|woff2?))(?=_)/i.exec(target) ?? [];
      const isText = code !== 'd' && target.startsWith('text:');
      const known =
        font === undefined ? isText || layers.includes(target) : layers.includes(`authenticated:${font}`);
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
  const parts = { publicId: decodeURIComponent(publicId), deliveryType, version, format, components };
  const signing: ConfigAndUrlOptions = {
    ...host,
    cloud_name: cloudName,
    api_secret: apiSecret,
    signature_algorithm: signature === 'sha1' ? 'sha1' : 'sha256',
    long_url_signature: signature === 'long',
  };
  const token =
    authTokenKey === undefined || expiresAt === null
      ? null
      : {
          key: authTokenKey,
          ...(startsAt === null ? {} : { start_time: startsAt }),
          expiration: expiresAt,
        };
  const expected =
    token !== null && keepsSignature
      ? signWithSdkTwice(parts, signing, token)
      : signWithSdk(parts, token === null ? signing : { ...signing, auth_token: token });
  if (location.slice(location.indexOf('#') + 1) !== expected) throw fault(`the SDK signs ${expected}`);
  return parsed;
}
