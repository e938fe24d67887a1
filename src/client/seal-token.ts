import type { Step } from './step.js';

/** What a token says, and what it is sealed with. */
export interface Seal {
  /** The `iss` of the token. */
  readonly issuerId: string;
  /** The key's secret, as it was shown: it is used as its text. */
  readonly secret: string;
  /** What the key's row says; `HS256` where absent. */
  readonly algorithm?: 'HS256' | 'HS384' | 'HS512';
  /** The key's id, for the header; without it every live key of the issuer is tried. */
  readonly kid?: string;
  /** The steps, in order. Absent: the base chain alone. */
  readonly transformations?: readonly Step[];
  /** The one image that the token is for, or a list of those it is good for. Absent: every image of the issuer. */
  readonly imageId?: string | readonly string[];
  /** When it ends; a number is seconds since 1970, as in the token. */
  readonly exp?: number | Date;
  /** When it begins. */
  readonly nbf?: number | Date;
  /** When it was made; it is not set by itself. */
  readonly iat?: number | Date;
  /** By which the token can be revoked. */
  readonly jti?: string;
  /** By which all tokens of a session can be revoked. */
  readonly sessionId?: string;
  /** `download: false` shows the picture; otherwise it is offered as a file. `original`: without steps, as it is. */
  readonly sharinpix?: { readonly download?: boolean; readonly original?: boolean };
}

/** The service reads no longer token. */
const MAX_TOKEN_LENGTH = 8192;
/** In seconds, the year 5138: what is beyond was meant in milliseconds. */
const IMPLAUSIBLE_SECONDS = 1e11;

/**
 * Seals a token with WebCrypto, under the header `{"typ":"JWT","alg":…}`.
 * @throws RangeError for a time that is none in seconds, and for a token longer than the service reads.
 */
export async function sealToken(seal: Seal): Promise<string> {
  const { algorithm = 'HS256', kid, secret } = seal;
  const signed = `${encodeJson({ typ: 'JWT', alg: algorithm, kid })}.${encodeJson(claimsOf(seal))}`;
  const hmac = { name: 'HMAC', hash: `SHA-${algorithm.slice(2)}` };
  const key = await crypto.subtle.importKey('raw', encodeText(secret), hmac, false, ['sign']);
  const signature = new Uint8Array(await crypto.subtle.sign('HMAC', key, encodeText(signed)));
  const token = `${signed}.${encodeBytes(signature)}`;
  if (token.length > MAX_TOKEN_LENGTH) {
    throw new RangeError(`The token has ${token.length} characters; the service reads ${MAX_TOKEN_LENGTH}.`);
  }
  return token;
}

/** JSON leaves out what is undefined. */
function claimsOf({
  issuerId,
  iat,
  nbf,
  exp,
  jti,
  sessionId,
  imageId,
  transformations,
  sharinpix,
}: Seal): object {
  return {
    iss: issuerId,
    iat: secondsOf('iat', iat),
    nbf: secondsOf('nbf', nbf),
    exp: secondsOf('exp', exp),
    jti,
    session_id: sessionId,
    image_id: imageId,
    transformations,
    sharinpix,
  };
}

function secondsOf(name: string, time: number | Date | undefined): number | undefined {
  if (time === undefined) return undefined;
  const seconds = secondsSince1970(time);
  if (seconds >= 0 && seconds < IMPLAUSIBLE_SECONDS) return seconds;
  throw new RangeError(`${name} must be a Date, or seconds since 1970.`);
}

/** NaN for what is neither: callers without types pass `'1h'`. */
function secondsSince1970(time: unknown): number {
  if (time instanceof Date) return Math.floor(time.getTime() / 1000);
  return typeof time === 'number' ? time : Number.NaN;
}

const encodeText = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const encodeJson = (value: object): string => encodeBytes(encodeText(JSON.stringify(value)));

/** Base64url without padding (RFC 4648 §5). */
function encodeBytes(bytes: Uint8Array): string {
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  return btoa(binary).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}
