import { isJsonObject, type JsonObject } from './strict-json.js';
import { InvalidTokenError } from './token.errors.js';
import { canonicalUuid } from './uuid.js';

/** Seconds by which our clock and a backend's may differ, for `exp`, `nbf` and `iat` each. */
export const CLOCK_LEEWAY_SECONDS = 30;

/** From here on (the year 5138) a time is taken for milliseconds and refused: believed, it would never expire. */
const IMPLAUSIBLE_SECONDS = 1e11;

// No control characters, since Postgres text cannot hold NUL; no lone surrogates, since UTF-8 cannot.
const IDENTIFIER = /^[^\p{Cc}\p{Cs}]{1,255}$/u;

/** What a verified token says. */
export interface TokenClaims {
  /** `iss`: the issuer's id. */
  readonly issuerId: string;
  /** `image_id` as a string: names the image and wins over the path. Lower case. */
  readonly imageId: string | null;
  /** `image_id` as an array: the path's id must be among these. Lower case, never empty. */
  readonly imageIds: readonly string[] | null;
  /** `transformations` as they came, undefined where absent: the mapper's to judge. */
  readonly transformations: unknown;
  /** False only for `sharinpix.download: false`. */
  readonly download: boolean;
  /** True only for `sharinpix.original: true`. */
  readonly original: boolean;
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
}

/**
 * Reads the claims of a payload whose signature holds (RFC 7519 §4.1).
 * @param now Seconds since 1970.
 * @throws InvalidTokenError (401) for a claim of the wrong kind, or outside its time
 */
export function readClaims(payload: JsonObject, issuerId: string, now: number): TokenClaims {
  const expiresAt = readSeconds(payload['exp']);
  const notBefore = readSeconds(payload['nbf']);
  const issuedAt = readSeconds(payload['iat']);
  // RFC 7519 §4.1.4: refused on or after `exp`, so at exactly the leeway too; `nbf` and `iat` are met at it.
  if (expiresAt !== null && now >= expiresAt + CLOCK_LEEWAY_SECONDS)
    throw InvalidTokenError.because('expired');
  if (notBefore !== null && notBefore > now + CLOCK_LEEWAY_SECONDS)
    throw InvalidTokenError.because('not_yet_valid');
  if (issuedAt !== null && issuedAt > now + CLOCK_LEEWAY_SECONDS)
    throw InvalidTokenError.because('issued_ahead');

  const settings = isJsonObject(payload['sharinpix']) ? payload['sharinpix'] : {};
  const { imageId, imageIds } = readImageBinding(payload['image_id']);
  return {
    issuerId,
    imageId,
    imageIds,
    transformations: payload['transformations'],
    download: settings['download'] !== false,
    original: settings['original'] === true,
    expiresAt,
    notBefore,
    issuedAt,
    jwtId: readIdentifier(payload['jti']),
    sessionId: readIdentifier(payload['session_id']),
  };
}

/** Whether a token is from before a moment that an operator set: one without `iat` is from any time. */
export function isIssuedBefore({ issuedAt }: Pick<TokenClaims, 'issuedAt'>, notBefore: Date | null): boolean {
  return notBefore !== null && (issuedAt === null || issuedAt * 1000 < notBefore.getTime());
}

function readSeconds(claim: unknown): number | null {
  if (claim === undefined) return null;
  // The range is false for NaN and for 1e400, which JSON.parse reads as Infinity.
  if (typeof claim === 'number' && claim >= 0 && claim < IMPLAUSIBLE_SECONDS) return claim;
  throw InvalidTokenError.because('bad_time');
}

const NO_BINDING = { imageId: null, imageIds: null };

function readImageBinding(claim: unknown): Pick<TokenClaims, 'imageId' | 'imageIds'> {
  if (claim === undefined) return NO_BINDING;
  if (!Array.isArray(claim)) return { imageId: readImageId(claim), imageIds: null };
  // An empty list binds to nothing; taken for "no list" it would open every image.
  if (claim.length === 0) throw InvalidTokenError.because('bad_image_id');
  return { imageId: null, imageIds: claim.map(readImageId) };
}

function readImageId(value: unknown): string {
  const id = canonicalUuid(value);
  if (id === null) throw InvalidTokenError.because('bad_image_id');
  return id;
}

function readIdentifier(claim: unknown): string | null {
  if (claim === undefined) return null;
  if (typeof claim === 'string' && IDENTIFIER.test(claim)) return claim;
  throw InvalidTokenError.because('bad_identifier');
}
