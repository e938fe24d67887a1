import type { UrlSignature } from './url-signature.js';

/** Stands for the account of the environment, which has no row, where rows belong to an account. */
export const ENVIRONMENT_ACCOUNT_ID = '00000000-0000-0000-0000-000000000000';

/** An API key with its secret. */
export interface AccountSecret {
  readonly apiKey: string;
  readonly apiSecret: string;
  /** From then on its notifications are refused; null for never. */
  readonly notAfter: Date | null;
}

/** A key of `__cld_token__`: hexadecimal, 32 digits or more. */
export const AUTH_TOKEN_KEY = /^([0-9a-f]{2}){16,}$/i;

/** How the URLs of an account expire. Source: Cloudinary, "Token-based authentication". */
export interface AuthTokenSettings {
  /** Hexadecimal. */
  readonly key: string;
  /** Seconds, for a JWT without `exp`. */
  readonly duration: number;
  /** Without `exp`, the expiry is rounded up to a multiple of these seconds; 0 disables rounding. */
  readonly round: number;
  /** Whether URLs have their signature beside the token. */
  readonly withSignature: boolean;
}

/** The hosts of Cloudinary's delivery. */
export interface DeliveryHost {
  readonly cloudName: string;
  /** Whether the account has a private CDN: URLs then omit the cloud's name. */
  readonly privateCdn: boolean;
  /** A CNAME or a custom host (the SDK's `secure_distribution`); null for Cloudinary's own. */
  readonly host: string | null;
}

/** A Cloudinary account: what its delivery URLs, uploads and notifications are signed with. */
export interface Account extends DeliveryHost {
  /** Null for the account of the environment. */
  readonly id: string | null;
  /** The start of its delivery URLs, before `/image/`; of `deliveryBaseOf`. */
  readonly deliveryBase: string;
  /** For uploads; null without `CLOUDINARY_URL`. */
  readonly apiKey: string | null;
  /** Signs URLs and API calls. */
  readonly apiSecret: string;
  /** Other secrets whose notifications are accepted. */
  readonly otherSecrets: readonly AccountSecret[];
  /** Origin of the upload API. */
  readonly uploadPrefix: string;
  /** Milliseconds for an upload and its response. */
  readonly uploadTimeout: number;
  readonly signature: UrlSignature;
  /** Set if URLs have Cloudinary's expiring `__cld_token__`. */
  readonly authToken: AuthTokenSettings | null;
}

/** The id by which rows refer to an account. */
export function accountIdOf({ id }: Pick<Account, 'id'>): string {
  return id ?? ENVIRONMENT_ACCOUNT_ID;
}

/** The secrets of an account that are valid now: first the one that signs, which needs no API key to sign URLs. */
export function liveSecretsOf(
  { apiKey, apiSecret, otherSecrets }: Pick<Account, 'apiKey' | 'apiSecret' | 'otherSecrets'>,
  now = Date.now(),
): readonly AccountSecret[] {
  const others = otherSecrets.filter(({ notAfter }) => notAfter === null || now < notAfter.getTime());
  return [{ apiKey: apiKey ?? '', apiSecret, notAfter: null }, ...others];
}

const HOST_NAME =
  /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** The SDK replaces it with Cloudinary's present host. */
const OLD_SHARED_HOST = 'cloudinary-a.akamaihd.net';

/** Completes "NAME must …" for the host of a `DeliveryHost`. */
export const DELIVERY_HOST_RULE = 'be a host name in lower case, such as img.example.com';

/** Whether a text can be the host of a `DeliveryHost`: a domain name without a port. */
export function isDeliveryHost(text: string): boolean {
  return HOST_NAME.test(text) && text !== OLD_SHARED_HOST;
}

/**
 * The start of an account's delivery URLs, as `cloudinary.url()` writes it with `secure: true`: scheme, host and, unless
 * the account has a private CDN, the cloud's name.
 */
export function deliveryBaseOf({ cloudName, privateCdn, host }: DeliveryHost): string {
  if (privateCdn) return `https://${host ?? `${cloudName}-res.cloudinary.com`}`;
  return `https://${host ?? 'res.cloudinary.com'}/${cloudName}`;
}
