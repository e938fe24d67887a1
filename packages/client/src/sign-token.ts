import type { Step } from './step.js';
import { isHmacAlgorithm, isPublicKeyAlgorithm, readTokenKey, type TokenKey } from './token-key.js';

/** A token's claims, and the key that signs it. Omit an option instead of passing undefined. */
export type TokenOptions = TokenClaims & TokenKey;

/** The claims of a token. */
export interface TokenClaims {
  /** The token's `iss`. */
  readonly issuerId: string;
  /** The steps, in order. Default: none; the base chain still applies. */
  readonly transformations?: readonly Step[];
  /** The id of the image, or a list of ids, that the token grants access to. `'any'`: all images of the issuer. */
  readonly imageId: 'any' | (string & Record<never, never>) | readonly string[];
  /** When the token expires; a number is Unix seconds. Default: never. */
  readonly exp?: number | Date;
  /** When the token becomes valid. */
  readonly nbf?: number | Date;
  /** When the token was signed. Not set by default. */
  readonly iat?: number | Date;
  /** The audience that the issuer requires of tokens without a secret, if it requires one. */
  readonly aud?: string;
  /** Lets an operator revoke the token. 1 to 255 characters. */
  readonly jti?: string;
  /** Lets an operator revoke all tokens of a session. 1 to 255 characters. */
  readonly sessionId?: string;
  /** How often the image is delivered, 1 to 1,000. Needs `jti`, `exp`, and an issuer whose images are proxied. */
  readonly maxUses?: number;
  /**
   * An IP address or subnet, or a list of up to 64: the client's address must be in one of them. Needs an issuer whose
   * policy allows it.
   */
  readonly bindIp?: string | readonly string[];
  /** `download: false` displays the image instead of downloading it. `original: true` omits all steps. */
  readonly sharinpix?: { readonly download?: boolean; readonly original?: boolean };
  /** Ignored, so that the parts of a DSN can be spread into the options. */
  readonly baseUrl?: string;
}

/** Without `imageId`, the token grants access to all images of the issuer. */
type LegacyTokenOptions = Omit<TokenClaims, 'imageId'> & Partial<Pick<TokenClaims, 'imageId'>> & TokenKey;

/** @deprecated Use `TokenOptions`, which requires `imageId`. */
export type Seal = LegacyTokenOptions;

/** The longest token that the service accepts. */
const MAX_TOKEN_LENGTH = 8192;
/** The year 5138 in seconds: a larger number is probably in milliseconds. */
const IMPLAUSIBLE_SECONDS = 1e11;

/**
 * Signs a token with WebCrypto, under the header `{"typ":"JWT","alg":…}`. EdDSA requires a runtime whose WebCrypto has
 * Ed25519: Node 20, Deno, Cloudflare Workers and current browsers.
 * @throws TypeError for an option that is missing, undefined, null, unknown or of the wrong type: JSON would drop an
 * undefined `imageId`, and the token would grant access to all images. Likewise for a value in `transformations` or
 * `sharinpix` that JSON drops or alters: undefined, a function, a symbol, NaN, a Map. The message names the option, or
 * the step and its key, and contains no value.
 * @throws RangeError for a time that is not in seconds, or a token that is too long for the service.
 */
export async function signToken(options: TokenOptions): Promise<string> {
  requireOptions(options);
  const { algorithm, sign } = await readTokenKey(options);
  const signed = `${encodeJson({ typ: 'JWT', alg: algorithm, kid: options.kid })}.${encodeJson(claimsOf(options))}`;
  const token = `${signed}.${encodeBytes(new Uint8Array(await sign(signed)))}`;
  if (token.length > MAX_TOKEN_LENGTH) {
    throw new RangeError(
      `signToken: the token has ${token.length} characters; the service accepts at most ${MAX_TOKEN_LENGTH}.`,
    );
  }
  return token;
}

/**
 * Signs a token as `signToken` does; without `imageId` the token grants access to all images of the issuer.
 * @deprecated Use `signToken`, which requires `imageId`.
 */
export function sealToken(seal: LegacyTokenOptions): Promise<string> {
  return signToken({ imageId: 'any', ...seal });
}

/** Undefined members are dropped by `JSON.stringify`. */
function claimsOf(options: TokenOptions): object {
  const { issuerId, aud, iat, nbf, exp, jti, sessionId, maxUses, bindIp } = options;
  const { imageId, transformations, sharinpix } = options;
  return {
    iss: issuerId,
    aud,
    iat: secondsOf('iat', iat),
    nbf: secondsOf('nbf', nbf),
    exp: secondsOf('exp', exp),
    jti,
    session_id: sessionId,
    max_uses: maxUses,
    bind_ip: bindIp,
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

/** Validates an option. */
interface OptionRule {
  /** Completes "must be …". */
  readonly expected: string;
  readonly fits: (value: unknown) => boolean;
}

const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
/** By tag: a Date of another realm (Jest, a VM) is not an instance of this realm's class. */
const isDate = (value: unknown): boolean => Object.prototype.toString.call(value) === '[object Date]';

const TIME: OptionRule = {
  expected: 'a Date, or a number of seconds since 1970',
  fits: (value) => typeof value === 'number' || isDate(value),
};
const IDENTIFIER: OptionRule = {
  expected: 'text of 1 to 255 characters',
  fits: (value) => typeof value === 'string' && /^[^\p{Cc}\p{Cs}]{1,255}$/u.test(value),
};

const RULES: Readonly<Record<keyof TokenOptions, OptionRule>> = {
  issuerId: { expected: 'the id of the issuer', fits: isText },
  secret: { expected: 'the secret of a key of the issuer, as text', fits: isText },
  privateKey: {
    expected: 'a private key: PKCS #8 in PEM, a JWK or a CryptoKey',
    fits: (value) => isText(value) || (typeof value === 'object' && value !== null && !Array.isArray(value)),
  },
  imageId: {
    expected: "the image’s id, a list of ids, or 'any' for all images of the issuer",
    fits: (value) => isText(value) || (Array.isArray(value) && value.length > 0 && value.every(isText)),
  },
  algorithm: {
    expected: 'HS256, HS384 or HS512 for a secret, EdDSA, ES256, RS256 or PS256 for a private key',
    fits: (value) => isHmacAlgorithm(value) || isPublicKeyAlgorithm(value),
  },
  kid: { expected: 'the id of the key', fits: isText },
  transformations: {
    expected: 'an array of steps, each an object',
    fits: (value) => Array.isArray(value) && value.every(isObject),
  },
  exp: TIME,
  nbf: TIME,
  iat: TIME,
  aud: IDENTIFIER,
  jti: IDENTIFIER,
  sessionId: IDENTIFIER,
  maxUses: {
    expected: 'a whole number from 1 to 1000',
    fits: (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 1000,
  },
  bindIp: {
    expected: 'an IP address or subnet, or a list of 1 to 64',
    fits: (value) =>
      isText(value) ||
      (Array.isArray(value) && value.length >= 1 && value.length <= 64 && value.every(isText)),
  },
  sharinpix: {
    expected: 'an object, whose `download` and `original` are true or false',
    fits: (value) =>
      isObject(value) &&
      ['download', 'original'].every((name) => !(name in value) || typeof value[name] === 'boolean'),
  },
  baseUrl: { expected: 'the origin of the service', fits: isText },
};
const NAMES = Object.keys(RULES) as readonly (keyof TokenOptions)[];
const REQUIRED: readonly string[] = ['issuerId', 'secret', 'imageId'];
/** The service finds a public key by its id alone. */
const REQUIRED_WITH_PRIVATE_KEY: readonly string[] = ['issuerId', 'privateKey', 'kid', 'imageId'];

/** Claims and other libraries' options, with the option that is probably meant. */
const SYNONYMS: ReadonlyMap<string, keyof TokenOptions> = new Map([
  ['iss', 'issuerId'],
  ['alg', 'algorithm'],
  ['audience', 'aud'],
  ['key', 'privateKey'],
  ['pem', 'privateKey'],
  ['keyid', 'kid'],
  ['id', 'imageId'],
  ['image', 'imageId'],
  ['steps', 'transformations'],
  ['expires', 'exp'],
  ['expiresat', 'exp'],
  ['expiresin', 'exp'],
  ['expiry', 'exp'],
  ['notbefore', 'nbf'],
  ['uses', 'maxUses'],
  ['ip', 'bindIp'],
  ['issuedat', 'iat'],
]);

/** @throws TypeError naming the first invalid option. */
function requireOptions(options: unknown): void {
  if (!isObject(options)) throw new TypeError('signToken: pass an object of options.');
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(RULES, name)) throw new TypeError(`signToken: ${describeUnknown(name)}`);
  }
  const hasPrivateKey = 'privateKey' in options;
  if (hasPrivateKey && 'secret' in options) {
    throw new TypeError('signToken: pass `secret` or `privateKey`, not both.');
  }
  const required = hasPrivateKey ? REQUIRED_WITH_PRIVATE_KEY : REQUIRED;
  for (const name of NAMES) {
    const { expected, fits } = RULES[name];
    const value = options[name];
    const isRequired = required.includes(name);
    if (name in options ? fits(value) : !isRequired) continue;
    const state = name in options ? String(value) : 'missing';
    throw new TypeError(
      value === undefined || value === null
        ? `signToken: \`${name}\` is ${state}. Pass ${expected}${isRequired ? '' : ', or omit the option'}.`
        : `signToken: \`${name}\` must be ${expected}.`,
    );
  }
  if ('algorithm' in options && isPublicKeyAlgorithm(options['algorithm']) !== hasPrivateKey) {
    throw new TypeError(
      hasPrivateKey
        ? 'signToken: `algorithm` must be EdDSA, ES256, RS256 or PS256 for a `privateKey`.'
        : 'signToken: `algorithm` must be HS256, HS384 or HS512 for a `secret`.',
    );
  }
  if ('maxUses' in options && !('jti' in options && 'exp' in options)) {
    throw new TypeError('signToken: `maxUses` needs `jti` and `exp`.');
  }
  const { transformations = [], sharinpix = {} } = options as unknown as TokenOptions;
  for (const [index, step] of transformations.entries()) requireJson(step, `step ${index + 1}`, '', 3);
  requireJson(sharinpix, '', 'sharinpix', 2);
}

/** The deepest payload that the service accepts; it also stops at a value that contains itself. */
const MAX_DEPTH = 16;

/**
 * Requires a value that JSON represents exactly. It would drop an undefined `overlay`, and the image its watermark.
 * @param place The step, if any. @param path The keys within it. @param depth Nesting, including the value itself.
 * @throws TypeError naming place and path.
 */
function requireJson(value: unknown, place: string, path: string, depth: number): void {
  const fault = findJsonFault(value, depth);
  if (fault !== null) {
    const subject = [place, path === '' ? '' : `\`${path}\``].filter((part) => part !== '').join(', ');
    throw new TypeError(
      `signToken: ${subject} is ${fault}. Pass text, a finite number, true, false, null, an array or a plain object, or omit the key.`,
    );
  }
  if (Array.isArray(value)) {
    // By index: `forEach` skips a hole, which JSON writes as null.
    for (let index = 0; index < value.length; index += 1) {
      requireJson(value[index], place, `${path}[${index}]`, depth + 1);
    }
  } else if (isObject(value)) {
    for (const [key, member] of Object.entries(value)) {
      requireJson(member, place, path === '' ? key : `${path}.${key}`, depth + 1);
    }
  }
}

/** Describes a value that JSON would drop or alter, to complete "is …"; null for any other. */
function findJsonFault(value: unknown, depth: number): string | null {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return null;
  if (typeof value === 'number') return Number.isFinite(value) ? null : String(value);
  if (typeof value !== 'object') return value === undefined ? 'undefined' : `a ${typeof value}`;
  if (depth > MAX_DEPTH) return 'nested too deep';
  if (Array.isArray(value)) return null;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Plain in any realm: a test runner may have its own `Object.prototype`.
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

/** Whether the names differ by one edit: a letter inserted, deleted or replaced, or two swapped. */
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

const encodeJson = (value: object): string => encodeBytes(new TextEncoder().encode(JSON.stringify(value)));

/** Base64url without padding (RFC 4648 §5). */
function encodeBytes(bytes: Uint8Array): string {
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  return btoa(binary).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}
