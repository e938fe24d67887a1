import type { ClaimProfile } from './claim-names.js';
import type { JsonObject } from './strict-json.js';
import { InvalidTokenError } from './token.errors.js';
import { isObject } from '../domain/is-object.js';
import { type AddressRange, parseAddressRange } from '../domain/ip-address.js';
import { canonicalUuid } from '../domain/uuid.js';
import type { ValidityPeriod } from './validity-period.js';

/** Allowed clock skew in seconds, for `exp`, `nbf` and `iat` each. */
export const CLOCK_LEEWAY_SECONDS = 30;

/** A time from here on (the year 5138) is probably in milliseconds and refused: the token would never expire. */
const IMPLAUSIBLE_SECONDS = 1e11;

const MAX_USES = 1_000;
const MAX_ADDRESSES = 64;

// No control characters, since Postgres text cannot hold NUL; no lone surrogates, since UTF-8 cannot.
const IDENTIFIER = /^[^\p{Cc}\p{Cs}]{1,255}$/u;

/** The claims of a verified token. */
export interface TokenClaims {
  /** `iss`: the issuer's id. */
  readonly issuerId: string;
  /** The whole payload as received, with claims that are not read. */
  readonly payload: JsonObject;
  /** `image_id` as a string: names the image and overrides the path. Lower case. */
  readonly imageId: string | null;
  /** `image_id` as an array: the path's id must be among these. Lower case, never empty. */
  readonly imageIds: readonly string[] | null;
  /** `transformations` as received, undefined if absent: the mapper validates them. */
  readonly transformations: unknown;
  /** False only for `sharinpix.download: false`. */
  readonly download: boolean;
  /** True only for `sharinpix.original: true`. */
  readonly original: boolean;
  /** True only for `sharinpix.full_size: true` under the profile `sharinpix`. */
  readonly fullSize: boolean;
  /** `sharinpix.filename` under the profile `sharinpix`: any non-empty text. */
  readonly filename: string | null;
  /** `exp`, in seconds since 1970. */
  readonly expiresAt: number | null;
  /** `nbf`, in seconds since 1970. */
  readonly notBefore: number | null;
  /** `iat`, in seconds since 1970. */
  readonly issuedAt: number | null;
  /** `jti`, 1 to 255 characters. */
  readonly jwtId: string | null;
  /** `session_id`, 1 to 255 characters. */
  readonly sessionId: string | null;
  /** `max_uses`, 1 to 1,000; the token has `jti` and `exp`. */
  readonly maxUses: number | null;
  /** `bind_ip`: the client's address must be in one of these. Never empty. */
  readonly addresses: readonly AddressRange[] | null;
}

/** The object `sharinpix` of a payload; empty if it is absent or not an object. */
export function settingsOf({ sharinpix }: JsonObject): JsonObject {
  return isObject(sharinpix) ? sharinpix : NO_SETTINGS;
}

const NO_SETTINGS: JsonObject = {};

/**
 * Reads the claims of a payload whose signature is verified (RFC 7519 §4.1).
 * @param now Seconds since 1970.
 * @param profile The issuer's, which determines what `id` and some members of `sharinpix` mean.
 * @throws InvalidTokenError (401) for a claim of the wrong type, or outside of its times
 */
export function readClaims(
  payload: JsonObject,
  issuerId: string,
  now: number,
  profile: ClaimProfile = 'pixseal',
): TokenClaims {
  const expiresAt = readSeconds(payload['exp']);
  const notBefore = readSeconds(payload['nbf']);
  const issuedAt = readSeconds(payload['iat']);
  // RFC 7519 §4.1.4: refused on or after `exp`, so at exactly the leeway too; `nbf` and `iat` are accepted at it.
  if (expiresAt !== null && now >= expiresAt + CLOCK_LEEWAY_SECONDS)
    throw InvalidTokenError.because('expired');
  if (notBefore !== null && notBefore > now + CLOCK_LEEWAY_SECONDS)
    throw InvalidTokenError.because('not_yet_valid');
  if (issuedAt !== null && issuedAt > now + CLOCK_LEEWAY_SECONDS)
    throw InvalidTokenError.because('issued_ahead');

  const settings = settingsOf(payload);
  const likeSharinPix = profile === 'sharinpix';
  const named = readImageBinding(payload['image_id']);
  const { imageId, imageIds } = likeSharinPix ? bindById(named, payload) : named;
  const { full_size: fullSize, filename } = settings;
  const jwtId = readIdentifier(payload['jti']);
  return {
    issuerId,
    payload,
    imageId,
    imageIds,
    transformations: payload['transformations'],
    download: settings['download'] !== false,
    original: settings['original'] === true,
    fullSize: likeSharinPix && fullSize === true,
    filename: likeSharinPix && typeof filename === 'string' && filename !== '' ? filename : null,
    expiresAt,
    notBefore,
    issuedAt,
    jwtId,
    sessionId: readIdentifier(payload['session_id']),
    maxUses: readMaxUses(payload['max_uses'], jwtId !== null && expiresAt !== null),
    addresses: readAddresses(payload['bind_ip']),
  };
}

/** When `readClaims` accepts these times. */
export function tokenValidity({
  expiresAt,
  notBefore,
  issuedAt,
}: Pick<TokenClaims, 'expiresAt' | 'notBefore' | 'issuedAt'>): ValidityPeriod {
  return {
    from: (Math.max(notBefore ?? -Infinity, issuedAt ?? -Infinity) - CLOCK_LEEWAY_SECONDS) * 1000,
    until: ((expiresAt ?? Infinity) + CLOCK_LEEWAY_SECONDS) * 1000,
  };
}

/** Whether a token was issued before an operator's `not_before`; one without `iat` is treated as older. */
export function isIssuedBefore({ issuedAt }: Pick<TokenClaims, 'issuedAt'>, notBefore: Date | null): boolean {
  return notBefore !== null && (issuedAt === null || issuedAt * 1000 < notBefore.getTime());
}

function readSeconds(claim: unknown): number | null {
  if (claim === undefined) return null;
  // Also refuses 1e400, which JSON.parse reads as Infinity.
  if (typeof claim === 'number' && claim >= 0 && claim < IMPLAUSIBLE_SECONDS) return claim;
  throw InvalidTokenError.because('bad_time');
}

type ImageBinding = Pick<TokenClaims, 'imageId' | 'imageIds'>;

const NO_BINDING: ImageBinding = { imageId: null, imageIds: null };

/** Binds to `id` or `Id` as to `image_id`. @throws InvalidTokenError (401) if two of them differ */
function bindById(named: ImageBinding, payload: JsonObject): ImageBinding {
  let binding = named;
  for (const claim of ID_CLAIMS) {
    if (payload[claim] === undefined) continue;
    const imageId = canonicalUuid(payload[claim]);
    if (imageId === null) throw InvalidTokenError.because('bad_id');
    if (binding !== NO_BINDING && binding.imageId !== imageId) throw InvalidTokenError.because('two_images');
    binding = { imageId, imageIds: null };
  }
  return binding;
}

const ID_CLAIMS = ['id', 'Id'];

function readImageBinding(claim: unknown): ImageBinding {
  if (claim === undefined) return NO_BINDING;
  if (!Array.isArray(claim)) return { imageId: readImageId(claim), imageIds: null };
  // Read as "no list", an empty list would permit every image.
  if (claim.length === 0) throw InvalidTokenError.because('bad_image_id');
  return { imageId: null, imageIds: claim.map(readImageId) };
}

function readImageId(value: unknown): string {
  const id = canonicalUuid(value);
  if (id === null) throw InvalidTokenError.because('bad_image_id');
  return id;
}

/** @param isCountable Whether the uses of the token have a name, and an end. */
function readMaxUses(claim: unknown, isCountable: boolean): number | null {
  if (claim === undefined) return null;
  const isCount = Number.isInteger(claim) && (claim as number) >= 1 && (claim as number) <= MAX_USES;
  if (!isCount || !isCountable) throw InvalidTokenError.because('bad_max_uses');
  return claim as number;
}

function readAddresses(claim: unknown): readonly AddressRange[] | null {
  if (claim === undefined) return null;
  const texts: readonly unknown[] = Array.isArray(claim) ? claim : [claim];
  const ranges = texts.length > MAX_ADDRESSES ? [] : texts.map(readAddress);
  // Read as "no list", an empty list would permit every address.
  if (ranges.length === 0) throw InvalidTokenError.because('bad_bind_ip');
  return ranges;
}

function readAddress(value: unknown): AddressRange {
  const range = typeof value === 'string' ? parseAddressRange(value) : null;
  if (range === null) throw InvalidTokenError.because('bad_bind_ip');
  return range;
}

function readIdentifier(claim: unknown): string | null {
  if (claim === undefined) return null;
  if (typeof claim === 'string' && IDENTIFIER.test(claim)) return claim;
  throw InvalidTokenError.because('bad_identifier');
}
