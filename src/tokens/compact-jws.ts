import { HMAC_ALGORITHMS, type HmacAlgorithm } from '../issuers/issuer.js';
import { type JsonObject, parseJsonObject } from './strict-json.js';
import { InvalidTokenError } from './token.errors.js';

/** Longest token that is looked at, in characters; longer ones are refused unread. */
export const MAX_TOKEN_LENGTH = 8192;
/** Containers inside each other that a header or payload may have, the outermost one included. */
const MAX_JSON_DEPTH = 16;

/** A token whose outer form and header are sound. Nothing in it is verified yet. */
export interface CompactJws {
  /** What the signature is of (RFC 7515 §5.1): header and payload as they came. */
  readonly signingInput: string;
  readonly signature: Buffer;
  /** What the header claims; the key's row decides. */
  readonly algorithm: HmacAlgorithm;
  /** The header's `kid` where it is a string: a hint, never a path, a query or a URL. */
  readonly keyId: string | null;
  /** The payload's bytes, whatever they hold. */
  readonly payload: Buffer;
}

/**
 * Reads a JWS in compact form (RFC 7515 §7.1), more strictly than any library: length, alphabet, header.
 * `jku`, `jwk`, `x5u` and `x5c` are not even looked at: keys come from our rows alone.
 * @throws InvalidTokenError (401)
 */
export function readCompactJws(token: unknown): CompactJws {
  if (typeof token !== 'string' || token === '') throw new InvalidTokenError('not_one');
  if (token.length > MAX_TOKEN_LENGTH) throw new InvalidTokenError('too_long');
  const first = token.indexOf('.');
  const second = token.indexOf('.', first + 1);
  const headerSegment = token.slice(0, first);
  const common = COMMON_HEADERS.get(headerSegment);
  const payload = decodeSegment(token.slice(first + 1, second));
  // A further dot is in here, and no character of base64url.
  const signature = decodeSegment(token.slice(second + 1));
  const header = common ?? decodeSegment(headerSegment);
  if (first < 0 || second < 0 || header === null || payload === null || signature === null) {
    throw new InvalidTokenError('not_compact');
  }
  const { algorithm, keyId } = Buffer.isBuffer(header) ? readHeader(header) : header;
  return { algorithm, keyId, payload, signingInput: token.slice(0, second), signature };
}

/**
 * Reads a JWS's payload as a JWT's claims: a JSON object in UTF-8, at most 16 deep, no name twice.
 * @throws InvalidTokenError (401)
 */
export function readPayload(jws: CompactJws): JsonObject {
  const payload = parseJsonObject(jws.payload, MAX_JSON_DEPTH);
  if (typeof payload === 'string') throw new InvalidTokenError('bad_payload');
  return payload;
}

/**
 * The bytes of canonical base64url (RFC 4648 §3.5), or null. Node's decoder takes anything; only what it would itself
 * write is let through, so a token cannot be respelled to slip past a cache or a revocation list.
 */
function decodeSegment(segment: string): Buffer | null {
  const bytes = Buffer.from(segment, 'base64url');
  return bytes.length > 0 && bytes.toString('base64url') === segment ? bytes : null;
}

type Header = Pick<CompactJws, 'algorithm' | 'keyId'>;

/** Headers as nearly all libraries write them, without a `kid`: what they say is known before they are read. */
const COMMON_HEADERS: ReadonlyMap<string, Header> = new Map(
  HMAC_ALGORITHMS.flatMap((alg) =>
    [{ typ: 'JWT', alg }, { alg, typ: 'JWT' }, { alg }].map((header) => {
      const segment = Buffer.from(JSON.stringify(header)).toString('base64url');
      return [segment, { algorithm: alg, keyId: null }] as const;
    }),
  ),
);

function readHeader(bytes: Buffer): Header {
  const header = parseJsonObject(bytes, MAX_JSON_DEPTH);
  // `crit` names extensions that must be understood, and we know none; `b64: false` would sign other bytes (RFC 7797).
  if (typeof header === 'string' || 'crit' in header || 'b64' in header) {
    throw new InvalidTokenError('bad_header');
  }
  const { alg, kid } = header;
  if (!isHmacAlgorithm(alg)) throw new InvalidTokenError('bad_algorithm');
  return { algorithm: alg, keyId: typeof kid === 'string' ? kid : null };
}

function isHmacAlgorithm(value: unknown): value is HmacAlgorithm {
  return (HMAC_ALGORITHMS as readonly unknown[]).includes(value);
}
