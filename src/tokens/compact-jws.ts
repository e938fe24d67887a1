import { keepShares } from './share-json.js';
import { HMAC_ALGORITHMS, type HmacAlgorithm } from './signing-key.js';
import { type JsonFault, type JsonObject, parseJsonObject } from './strict-json.js';
import { InvalidTokenError } from './token.errors.js';

/** Longest token that is looked at, in characters; longer ones are refused unread. */
export const MAX_TOKEN_LENGTH = 8192;
/** Containers inside each other that a header or payload may have, the outermost one included. */
const MAX_JSON_DEPTH = 16;

/** A token whose outer form and header are sound. Nothing in it is verified yet. */
export interface CompactJws {
  /** What the signature is of (RFC 7515 §5.1): header and payload as they came. */
  readonly signingInput: string;
  /** Canonical base64url. */
  readonly signature: string;
  /** What the header claims; the key's row decides. */
  readonly algorithm: HmacAlgorithm;
  /** The header's `kid` where it is a string: a hint, never a path, a query or a URL. */
  readonly keyId: string | null;
  /** The payload in canonical base64url, whatever it holds. */
  readonly payload: string;
}

/**
 * Reads a JWS in compact form (RFC 7515 §7.1), more strictly than any library: length, alphabet, header.
 * `jku`, `jwk`, `x5u` and `x5c` are not even looked at: keys come from our rows alone.
 * @throws InvalidTokenError (401)
 */
export function readCompactJws(token: unknown): CompactJws {
  if (typeof token !== 'string' || token === '') throw InvalidTokenError.because('missing_or_repeated');
  if (token.length > MAX_TOKEN_LENGTH) throw InvalidTokenError.because('too_long');
  const first = token.indexOf('.');
  const second = token.indexOf('.', first + 1);
  const headerSegment = token.slice(0, first);
  const payload = token.slice(first + 1, second);
  // A further dot is in here, and no character of base64url.
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

/** Where every segment is decoded: it is read before the next one comes. */
const scratch = Buffer.alloc(MAX_TOKEN_LENGTH);

function parseSegment(
  segment: string,
  revise?: (value: JsonObject, text: string) => JsonObject,
): JsonObject | JsonFault {
  return parseJsonObject(scratch.subarray(0, scratch.write(segment, 'base64url')), MAX_JSON_DEPTH, revise);
}

/** In steps alone `1.0` is another value than `1`: a time such as `exp` is a number either way. */
function keepStepShares(payload: JsonObject, text: string): JsonObject {
  return keepShares(text, payload, (claims, { transformations }) =>
    transformations === undefined ? claims : { ...claims, transformations },
  );
}

const BASE64URL = /^[\w-]+$/;
/** Characters that may end a text whose length leaves 2 or 3 over a multiple of 4: their unused bits are zero. */
const LAST_OF = { 2: 'AQgw', 3: 'AEIMQUYcgkosw048' } as const;

/**
 * Whether a segment is the one spelling of its bytes in base64url (RFC 4648 §3.5). Node's decoder takes anything;
 * only what it would itself write is let through, so a token cannot be respelled to slip past a cache or a
 * revocation list.
 */
function isCanonical(segment: string): boolean {
  if (!BASE64URL.test(segment)) return false;
  const over = segment.length % 4;
  if (over === 0) return true;
  return over !== 1 && LAST_OF[over as 2 | 3].includes(segment.charAt(segment.length - 1));
}

type Header = Pick<CompactJws, 'algorithm' | 'keyId'>;

/** Headers that were read before, by their segments: a key's tokens have one, and it says the same each time. */
const knownHeaders = new Map<string, Header>();
const MAX_KNOWN_HEADERS = 1_000;
const MAX_KNOWN_LENGTH = 200;

function readHeader(segment: string): Header {
  const header = parseSegment(segment);
  // `crit` names extensions that must be understood, and we know none; `b64: false` would sign other bytes (RFC 7797).
  if (typeof header === 'string' || 'crit' in header || 'b64' in header) {
    throw InvalidTokenError.because('bad_header');
  }
  const { alg, kid } = header;
  if (!isHmacAlgorithm(alg)) throw InvalidTokenError.because('bad_algorithm');
  const read: Header = { algorithm: alg, keyId: typeof kid === 'string' ? kid : null };
  if (segment.length <= MAX_KNOWN_LENGTH) {
    if (knownHeaders.size >= MAX_KNOWN_HEADERS) knownHeaders.clear();
    // A slice would keep the whole token in memory.
    knownHeaders.set(Buffer.from(segment).toString(), read);
  }
  return read;
}

function isHmacAlgorithm(value: unknown): value is HmacAlgorithm {
  return (HMAC_ALGORITHMS as readonly unknown[]).includes(value);
}
