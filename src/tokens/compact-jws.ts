import { keepShares } from './share-json.js';
import { isPublicKeyAlgorithm, TOKEN_ALGORITHMS, type TokenAlgorithm } from './signing-key.js';
import { type JsonFault, type JsonObject, parseJsonObject } from './strict-json.js';
import { InvalidTokenError } from './token.errors.js';

/** Characters of a token; longer ones are refused unread. */
export const MAX_TOKEN_LENGTH = 8192;
/** Nesting of a header or payload, the outermost object included. */
const MAX_JSON_DEPTH = 16;

/** A token with a well-formed header. Nothing in it is verified yet. */
export interface CompactJws {
  /** The signed text (RFC 7515 §5.1): header and payload as received. */
  readonly signingInput: string;
  /** Canonical base64url. */
  readonly signature: string;
  /** The header's claim; the key decides. */
  readonly algorithm: TokenAlgorithm;
  /**
   * The header's `kid` if it is a string: never a path, a query or a URL. A hint among keys with a secret; present if the
   * algorithm is a public key's.
   */
  readonly keyId: string | null;
  /** Canonical base64url; the content is not checked. */
  readonly payload: string;
}

/**
 * Reads a JWS in compact form (RFC 7515 §7.1), more strictly than any library: length, alphabet, header.
 * `jku`, `jwk`, `x5u` and `x5c` are ignored: keys come only from our rows and from the issuer's `jwks_url`.
 * @throws InvalidTokenError (401)
 */
export function readCompactJws(token: unknown): CompactJws {
  if (typeof token !== 'string' || token === '') throw InvalidTokenError.because('missing_or_repeated');
  if (token.length > MAX_TOKEN_LENGTH) throw InvalidTokenError.because('too_long');
  const first = token.indexOf('.');
  const second = token.indexOf('.', first + 1);
  const headerSegment = token.slice(0, first);
  const payload = token.slice(first + 1, second);
  // A third dot would be in here, and is not a character of base64url.
  const signature = token.slice(second + 1);
  const known = knownHeaders.get(headerSegment);
  if (
    first < 0 ||
    second < 0 ||
    (known === undefined && !isCanonical(headerSegment)) ||
    !isCanonical(payload) ||
    !isCanonical(signature)
  ) {
    throw InvalidTokenError.because('not_compact');
  }
  const { algorithm, keyId } = known ?? readHeader(headerSegment);
  return { algorithm, keyId, payload, signingInput: token.slice(0, second), signature };
}

/**
 * Reads a JWS's payload as a JWT's claims: a JSON object in UTF-8, at most 16 deep, no name twice.
 * @throws InvalidTokenError (401)
 */
export function readPayload(jws: CompactJws): JsonObject {
  const payload = parseSegment(jws.payload, keepStepShares);
  if (typeof payload === 'string') throw InvalidTokenError.because('bad_payload');
  return payload;
}

/** The buffer for every segment: each is parsed before the next is decoded. */
const scratch = Buffer.alloc(MAX_TOKEN_LENGTH);

function parseSegment(
  segment: string,
  revise?: (value: JsonObject, text: string) => JsonObject,
): JsonObject | JsonFault {
  return parseJsonObject(scratch.subarray(0, scratch.write(segment, 'base64url')), MAX_JSON_DEPTH, revise);
}

/** Only in steps is `1.0` another value than `1`; a time such as `exp` is a number either way. */
function keepStepShares(payload: JsonObject, text: string): JsonObject {
  return keepShares(text, payload, (claims, { transformations }) =>
    transformations === undefined ? claims : { ...claims, transformations },
  );
}

const BASE64URL = /^[\w-]+$/;
/** Last characters whose unused bits are zero, by the length modulo 4. */
const LAST_OF = { 2: 'AQgw', 3: 'AEIMQUYcgkosw048' } as const;

/**
 * Whether a segment is the canonical base64url of its bytes (RFC 4648 §3.5). Node's decoder accepts anything, and
 * another spelling of a token would bypass a cache or a revocation list.
 */
function isCanonical(segment: string): boolean {
  if (!BASE64URL.test(segment)) return false;
  const over = segment.length % 4;
  if (over === 0) return true;
  return over !== 1 && LAST_OF[over as 2 | 3].includes(segment.charAt(segment.length - 1));
}

type Header = Pick<CompactJws, 'algorithm' | 'keyId'>;

/** Parsed headers by their segments: all tokens of a key have the same one. */
const knownHeaders = new Map<string, Header>();
const MAX_KNOWN_HEADERS = 1_000;
const MAX_KNOWN_LENGTH = 200;

function readHeader(segment: string): Header {
  const header = parseSegment(segment);
  // `crit` requires extensions, and we support none; with `b64: false` other bytes are signed (RFC 7797).
  if (typeof header === 'string' || 'crit' in header || 'b64' in header) {
    throw InvalidTokenError.because('bad_header');
  }
  const { alg, kid } = header;
  if (!isTokenAlgorithm(alg)) throw InvalidTokenError.because('bad_algorithm');
  // Among several public keys, each try would cost a check of its own.
  if (isPublicKeyAlgorithm(alg) && (typeof kid !== 'string' || kid === '')) {
    throw InvalidTokenError.because('no_key_id');
  }
  const read: Header = { algorithm: alg, keyId: typeof kid === 'string' ? kid : null };
  if (segment.length <= MAX_KNOWN_LENGTH) {
    if (knownHeaders.size >= MAX_KNOWN_HEADERS) knownHeaders.clear();
    // A slice would keep the whole token in memory.
    knownHeaders.set(Buffer.from(segment).toString(), read);
  }
  return read;
}

function isTokenAlgorithm(value: unknown): value is TokenAlgorithm {
  return (TOKEN_ALGORITHMS as readonly unknown[]).includes(value);
}
