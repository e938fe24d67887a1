import type { Step } from './step.js';

/** A token's claims, and the key that signs it. An option that is given must have a value: leave out what is not set. */
export interface TokenOptions {
  /** The token's `iss`. */
  readonly issuerId: string;
  /** The key's secret, as it was shown: it is used as its text. */
  readonly secret: string;
  /** The key's algorithm. Default: `HS256`. */
  readonly algorithm?: 'HS256' | 'HS384' | 'HS512';
  /** The key's id, for the token's header. Without it the service tries every active key of the issuer. */
  readonly kid?: string;
  /** The steps, in order. Without it the image gets the base chain alone. */
  readonly transformations?: readonly Step[];
  /** The image's id, or a list of ids that the token opens. `'any'`: the token opens every image of the issuer. */
  readonly imageId: 'any' | (string & Record<never, never>) | readonly string[];
  /** When the token expires; a number is seconds since 1970, as in the token. Without it the token never expires. */
  readonly exp?: number | Date;
  /** From when on the token is valid. */
  readonly nbf?: number | Date;
  /** When the token was signed; it is not set by itself. */
  readonly iat?: number | Date;
  /** Id by which an operator revokes the token. 1 to 255 characters. */
  readonly jti?: string;
  /** Id by which an operator revokes all tokens of a session. 1 to 255 characters. */
  readonly sessionId?: string;
  /** `download: false` shows the image instead of offering a file. `original: true` delivers it without any step. */
  readonly sharinpix?: { readonly download?: boolean; readonly original?: boolean };
  /** Not part of a token, and ignored: a dsn's parts can be spread into the options. */
  readonly baseUrl?: string;
}

/** Without `imageId`: every image of the issuer. */
type OptionsOfBefore = Omit<TokenOptions, 'imageId'> & Partial<Pick<TokenOptions, 'imageId'>>;

/** @deprecated Use `TokenOptions`, which demands `imageId`. */
export type Seal = OptionsOfBefore;

/** The service reads no longer token. */
const MAX_TOKEN_LENGTH = 8192;
/** In seconds, the year 5138: a larger number was meant in milliseconds. */
const IMPLAUSIBLE_SECONDS = 1e11;

/**
 * Signs a token with WebCrypto, under the header `{"typ":"JWT","alg":…}`.
 * @throws TypeError for an option that is missing, undefined, null, unknown or of the wrong type: JSON would drop an
 * undefined `imageId`, and the token would open every image. Likewise for a value inside `transformations` or `sharinpix`
 * that JSON drops or alters: undefined, a function, a symbol, NaN, a Map. The message names the option, or the step and
 * its key, and no value.
 * @throws RangeError for a time that is not in seconds, and for a token longer than the service reads.
 */
export async function signToken(options: TokenOptions): Promise<string> {
  requireOptions(options);
  const { algorithm = 'HS256', kid, secret } = options;
  const signed = `${encodeJson({ typ: 'JWT', alg: algorithm, kid })}.${encodeJson(claimsOf(options))}`;
  const hmac = { name: 'HMAC', hash: `SHA-${algorithm.slice(2)}` };
  const key = await crypto.subtle.importKey('raw', encodeText(secret), hmac, false, ['sign']);
  const signature = new Uint8Array(await crypto.subtle.sign('HMAC', key, encodeText(signed)));
  const token = `${signed}.${encodeBytes(signature)}`;
  if (token.length > MAX_TOKEN_LENGTH) {
    throw new RangeError(
      `signToken: the token has ${token.length} characters; the service reads ${MAX_TOKEN_LENGTH}.`,
    );
  }
  return token;
}

/**
 * Signs a token as `signToken` does; without the option `imageId` the token opens every image of the issuer.
 * @deprecated Use `signToken`, which demands `imageId`.
 */
export function sealToken(seal: OptionsOfBefore): Promise<string> {
  return signToken({ imageId: 'any', ...seal });
}

/** JSON leaves out what is undefined. */
function claimsOf(options: TokenOptions): object {
  const { issuerId, iat, nbf, exp, jti, sessionId, imageId, transformations, sharinpix } = options;
  return {
    iss: issuerId,
    iat: secondsOf('iat', iat),
    nbf: secondsOf('nbf', nbf),
    exp: secondsOf('exp', exp),
    jti,
    session_id: sessionId,
    image_id: imageId === 'any' ? undefined : imageId,
    transformations,
    sharinpix,
  };
}

function secondsOf(name: string, time: number | Date | undefined): number | undefined {
  if (time === undefined) return undefined;
  const seconds = typeof time === 'number' ? time : Math.floor(time.getTime() / 1000);
  if (seconds >= 0 && seconds < IMPLAUSIBLE_SECONDS) return seconds;
  throw new RangeError(`signToken: \`${name}\` must be a Date, or seconds (not milliseconds) since 1970.`);
}

/** What an option may be. */
interface OptionRule {
  /** Completes "must be …". */
  readonly expected: string;
  readonly fits: (value: unknown) => boolean;
}

const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
/** By its tag: a Date of another realm (Jest, a VM) is no instance of this one's class. */
const isDate = (value: unknown): boolean => Object.prototype.toString.call(value) === '[object Date]';

const TIME: OptionRule = {
  expected: 'a Date, or a number of seconds since 1970',
  fits: (value) => typeof value === 'number' || isDate(value),
};
const REVOCABLE: OptionRule = {
  expected: 'text of 1 to 255 characters',
  fits: (value) => typeof value === 'string' && /^[^\p{Cc}\p{Cs}]{1,255}$/u.test(value),
};

const RULES: Readonly<Record<keyof TokenOptions, OptionRule>> = {
  issuerId: { expected: 'the id of the issuer', fits: isText },
  secret: { expected: 'the secret of a key of the issuer, as text', fits: isText },
  imageId: {
    expected: "the image’s id, a list of ids, or 'any' for a token that opens every image of the issuer",
    fits: (value) => isText(value) || (Array.isArray(value) && value.length > 0 && value.every(isText)),
  },
  algorithm: {
    expected: 'HS256, HS384 or HS512',
    fits: (value) => value === 'HS256' || value === 'HS384' || value === 'HS512',
  },
  kid: { expected: 'the id of the key', fits: isText },
  transformations: {
    expected: 'an array of steps, each an object',
    fits: (value) => Array.isArray(value) && value.every(isObject),
  },
  exp: TIME,
  nbf: TIME,
  iat: TIME,
  jti: REVOCABLE,
  sessionId: REVOCABLE,
  sharinpix: {
    expected: 'an object, whose `download` and `original` are true or false',
    fits: (value) =>
      isObject(value) &&
      ['download', 'original'].every((name) => !(name in value) || typeof value[name] === 'boolean'),
  },
  baseUrl: { expected: 'the origin of the service', fits: isText },
};
const NAMES = Object.keys(RULES) as readonly (keyof TokenOptions)[];
const REQUIRED: ReadonlySet<string> = new Set<keyof TokenOptions>(['issuerId', 'secret', 'imageId']);

/** Names of claims and of other libraries' options, by the option that is meant. */
const SYNONYMS: ReadonlyMap<string, keyof TokenOptions> = new Map([
  ['iss', 'issuerId'],
  ['alg', 'algorithm'],
  ['keyid', 'kid'],
  ['id', 'imageId'],
  ['image', 'imageId'],
  ['steps', 'transformations'],
  ['expires', 'exp'],
  ['expiresat', 'exp'],
  ['expiresin', 'exp'],
  ['expiry', 'exp'],
  ['notbefore', 'nbf'],
  ['issuedat', 'iat'],
]);

/** @throws TypeError naming the first option at fault. */
function requireOptions(options: unknown): void {
  if (!isObject(options)) throw new TypeError('signToken: pass an object of options.');
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(RULES, name)) throw new TypeError(`signToken: ${describeUnknown(name)}`);
  }
  for (const name of NAMES) {
    const { expected, fits } = RULES[name];
    const value = options[name];
    if (name in options ? fits(value) : !REQUIRED.has(name)) continue;
    const state = name in options ? String(value) : 'missing';
    throw new TypeError(
      value === undefined || value === null
        ? `signToken: \`${name}\` is ${state}. Pass ${expected}${REQUIRED.has(name) ? '' : ', or leave the option out'}.`
        : `signToken: \`${name}\` must be ${expected}.`,
    );
  }
  const { transformations = [], sharinpix = {} } = options as unknown as TokenOptions;
  for (const [index, step] of transformations.entries()) requireJson(step, `step ${index + 1}`, '', 3);
  requireJson(sharinpix, '', 'sharinpix', 2);
}

/** The service reads no deeper payload; a value that contains itself has no end. */
const MAX_DEPTH = 16;

/**
 * Requires what JSON writes as it is. It would drop an undefined `overlay`, and the picture would lose its watermark.
 * @param place The step, if any. @param path The keys within it. @param depth Containers around it, itself included.
 * @throws TypeError naming place and path.
 */
function requireJson(value: unknown, place: string, path: string, depth: number): void {
  const fault = findJsonFault(value, depth);
  if (fault !== null) {
    const subject = [place, path === '' ? '' : `\`${path}\``].filter((part) => part !== '').join(', ');
    throw new TypeError(
      `signToken: ${subject} is ${fault}. Pass text, a finite number, true, false, null, an array or a plain object, or leave the key out.`,
    );
  }
  if (Array.isArray(value)) {
    // By index: `forEach` would skip a hole, which JSON writes as null.
    for (let index = 0; index < value.length; index += 1) {
      requireJson(value[index], place, `${path}[${index}]`, depth + 1);
    }
  } else if (isObject(value)) {
    for (const [key, member] of Object.entries(value)) {
      requireJson(member, place, path === '' ? key : `${path}.${key}`, depth + 1);
    }
  }
}

/** What a value is, where JSON would drop or alter it; completes "is …". Null for what JSON writes as it is. */
function findJsonFault(value: unknown, depth: number): string | null {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return null;
  if (typeof value === 'number') return Number.isFinite(value) ? null : String(value);
  if (typeof value !== 'object') return value === undefined ? 'undefined' : `a ${typeof value}`;
  if (depth > MAX_DEPTH) return 'nested too deep';
  if (Array.isArray(value)) return null;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Plain in any realm: a test runner's own `Object.prototype` is not this one's.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return 'an instance of a class';
  return Object.getOwnPropertySymbols(value).length > 0 ? 'an object with a symbol as a key' : null;
}

function describeUnknown(name: string): string {
  const plain = plainName(name);
  const near = SYNONYMS.get(plain) ?? NAMES.find((option) => isNear(plain, plainName(option)));
  return near === undefined
    ? `\`${name}\` is not an option. The options are ${NAMES.join(', ')}.`
    : `\`${name}\` is not an option. Did you mean \`${near}\`? It takes ${RULES[near].expected}.`;
}

const plainName = (name: string): string => name.toLowerCase().replace(/[_-]/g, '');

/** Whether one edit makes one name of the other: a letter more, less or another, or two swapped. */
function isNear(one: string, other: string): boolean {
  let start = 0;
  while (start < one.length && one[start] === other[start]) start += 1;
  let end = 0;
  while (end < Math.min(one.length, other.length) - start && one.at(-1 - end) === other.at(-1 - end)) {
    end += 1;
  }
  const [left, right] = [one.slice(start, one.length - end), other.slice(start, other.length - end)];
  return (
    (left.length <= 1 && right.length <= 1) ||
    (left.length === 2 && left === right.slice(1) + right.slice(0, 1))
  );
}

const encodeText = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const encodeJson = (value: object): string => encodeBytes(encodeText(JSON.stringify(value)));

/** Base64url without padding (RFC 4648 §5). */
function encodeBytes(bytes: Uint8Array): string {
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  return btoa(binary).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}
