import { isObject } from '../domain/is-object.js';
import { readJwk } from './public-key.js';
import { isPublicKeyAlgorithm, type PublicKey, type PublicKeyAlgorithm } from './signing-key.js';
import { parseJsonObject } from './strict-json.js';

/** Keys of a document; a token is never tried with more than one of them. */
const MAX_KEYS = 16;
const MAX_JSON_DEPTH = 8;
const MAX_KEY_ID_LENGTH = 255;

/** What is wrong with a JWKS, for the operator. Contains no part of it. */
export class JwksError extends Error {}

/** A JWK without `alg` is for the algorithm that is usual for its type. */
const USUAL_ALGORITHMS: ReadonlyMap<unknown, PublicKeyAlgorithm> = new Map([
  ['OKP', 'EdDSA'],
  ['EC', 'ES256'],
  ['RSA', 'RS256'],
]);

/**
 * Reads a JSON Web Key Set (RFC 7517 §5). Keys that verify no token are left out: without `kid`, for encryption, of
 * another algorithm, private, symmetric or malformed.
 * @throws JwksError if it is not a set, or has too many keys.
 */
export function readJwks(document: Buffer): readonly PublicKey[] {
  const set = parseJsonObject(document, MAX_JSON_DEPTH);
  if (typeof set === 'string' || !Array.isArray(set['keys'])) {
    throw new JwksError('it is not a JSON Web Key Set');
  }
  const keys = set['keys'] as readonly unknown[];
  if (keys.length > MAX_KEYS) throw new JwksError(`it has more than ${MAX_KEYS} keys`);
  return keys.map(readKey).filter((key) => key !== null);
}

function readKey(jwk: unknown): PublicKey | null {
  if (!isObject(jwk)) return null;
  const { kid, use = 'sig', key_ops: operations = ['verify'], kty, alg = USUAL_ALGORITHMS.get(kty) } = jwk;
  const isForVerification = use === 'sig' && Array.isArray(operations) && operations.includes('verify');
  if (!isForVerification || typeof kid !== 'string' || kid === '' || kid.length > MAX_KEY_ID_LENGTH)
    return null;
  if (typeof alg !== 'string' || !isPublicKeyAlgorithm(alg)) return null;
  const read = readJwk(jwk, alg);
  if ('fault' in read) return null;
  return { id: kid, algorithm: alg, publicKey: read.key, isRow: false, notBefore: null, notAfter: null };
}
