/** EdDSA is Ed25519, ES256 is ECDSA with P-256, RS256 and PS256 are RSA with 2,048 to 4,096 bits. */
export type PublicKeyAlgorithm = 'EdDSA' | 'ES256' | 'RS256' | 'PS256';

/** A private JSON Web Key (RFC 7517). */
export interface PrivateJwk {
  readonly kty?: string;
  readonly [member: string]: unknown;
}

/** A private `CryptoKey` of WebCrypto with the usage `sign`; it need not be extractable. */
export interface PrivateCryptoKey {
  readonly type: string;
  readonly usages: readonly string[];
  readonly algorithm: { readonly name: string };
}

/** The key that signs a token: a secret that the service shares, or a private key whose public key the service has. */
export type TokenKey =
  | {
      /** The key's secret as shown, not decoded. */
      readonly secret: string;
      readonly privateKey?: never;
      /** The key's algorithm. Default: `HS256`. */
      readonly algorithm?: 'HS256' | 'HS384' | 'HS512';
      /** The key's id, for the token's header. By default the service tries every active key of the issuer. */
      readonly kid?: string;
    }
  | {
      /** The private key: PKCS #8 in PEM, a JWK, or a `CryptoKey`. */
      readonly privateKey: string | PrivateJwk | PrivateCryptoKey;
      readonly secret?: never;
      /** The key's algorithm. Required for PEM; by default that of the `CryptoKey`, or the JWK's, or its type's usual one. */
      readonly algorithm?: PublicKeyAlgorithm;
      /** The id that the service has for the public key. */
      readonly kid: string;
    };

/** Signs the UTF-8 of a text with a key. */
interface Signer {
  readonly algorithm: string;
  readonly sign: (text: string) => Promise<ArrayBuffer>;
}

const HMAC_ALGORITHMS: readonly unknown[] = ['HS256', 'HS384', 'HS512'];

/** WebCrypto's parameters by algorithm. RFC 7518 §3.5: the salt of PS256 is as long as its digest. */
const PARAMETERS = {
  EdDSA: { import: { name: 'Ed25519' }, sign: { name: 'Ed25519' } },
  ES256: { import: { name: 'ECDSA', namedCurve: 'P-256' }, sign: { name: 'ECDSA', hash: 'SHA-256' } },
  RS256: {
    import: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
    sign: { name: 'RSASSA-PKCS1-v1_5' },
  },
  PS256: { import: { name: 'RSA-PSS', hash: 'SHA-256' }, sign: { name: 'RSA-PSS', saltLength: 32 } },
} as const satisfies Record<PublicKeyAlgorithm, object>;

const ALGORITHM_OF_TYPE: Readonly<Record<string, PublicKeyAlgorithm>> = {
  OKP: 'EdDSA',
  EC: 'ES256',
  RSA: 'RS256',
};

/** Members of a JWK that restrict its use: runtimes check them in different ways. */
const RESTRICTIONS = ['alg', 'use', 'key_ops', 'ext'];

export const isHmacAlgorithm = (value: unknown): boolean => HMAC_ALGORITHMS.includes(value);
export const isPublicKeyAlgorithm = (value: unknown): value is PublicKeyAlgorithm =>
  typeof value === 'string' && Object.hasOwn(PARAMETERS, value);

/** @throws TypeError for a private key that does not fit; the message contains no part of it. */
export async function readTokenKey({ secret, privateKey, algorithm }: TokenKey): Promise<Signer> {
  if (privateKey === undefined) return readSecret(secret, algorithm ?? 'HS256');
  const found = algorithm ?? findAlgorithm(privateKey);
  if (found === undefined) {
    throw new TypeError(
      'signToken: `algorithm` is missing. Pass EdDSA, ES256, RS256 or PS256 for this `privateKey`.',
    );
  }
  const key = await importPrivateKey(privateKey, found);
  return {
    algorithm: found,
    sign: (text) => crypto.subtle.sign(PARAMETERS[found].sign, key, encodeText(text)),
  };
}

async function readSecret(secret: string, algorithm: string): Promise<Signer> {
  const hmac = { name: 'HMAC', hash: `SHA-${algorithm.slice(2)}` };
  const key = await crypto.subtle.importKey('raw', encodeText(secret), hmac, false, ['sign']);
  return { algorithm, sign: (text) => crypto.subtle.sign('HMAC', key, encodeText(text)) };
}

const encodeText = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

type ImportedKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

async function importPrivateKey(
  privateKey: string | PrivateJwk | PrivateCryptoKey,
  algorithm: PublicKeyAlgorithm,
): Promise<ImportedKey> {
  const { import: parameters } = PARAMETERS[algorithm];
  try {
    if (isCryptoKey(privateKey)) {
      if (privateKey.type === 'private' && privateKey.algorithm.name === parameters.name) {
        return privateKey as ImportedKey;
      }
    } else if (typeof privateKey === 'string') {
      return await crypto.subtle.importKey('pkcs8', readPem(privateKey), parameters, false, ['sign']);
    } else {
      const members = Object.entries(privateKey).filter(([name]) => !RESTRICTIONS.includes(name));
      const jwk: { kty?: string } = Object.fromEntries(members);
      return await crypto.subtle.importKey('jwk', jwk, parameters, false, ['sign']);
    }
  } catch {
    // The runtime's message may contain a part of the key.
  }
  throw new TypeError(
    `signToken: \`privateKey\` is not a private key of ${algorithm}. Pass PKCS #8 in PEM, a JWK or a CryptoKey.`,
  );
}

function findAlgorithm(privateKey: string | PrivateJwk | PrivateCryptoKey): PublicKeyAlgorithm | undefined {
  if (typeof privateKey === 'string') return undefined;
  if (isCryptoKey(privateKey)) {
    const { name } = privateKey.algorithm;
    return Object.keys(PARAMETERS)
      .filter(isPublicKeyAlgorithm)
      .find((algorithm) => PARAMETERS[algorithm].import.name === name);
  }
  const { alg, kty = '' } = privateKey;
  return isPublicKeyAlgorithm(alg) ? alg : ALGORITHM_OF_TYPE[kty];
}

const isCryptoKey = (key: string | PrivateJwk | PrivateCryptoKey): key is PrivateCryptoKey =>
  typeof key === 'object' && 'usages' in key && 'algorithm' in key;

/** The bytes of PKCS #8 in PEM (RFC 7468 §10). @throws Error for anything else */
function readPem(pem: string): Uint8Array<ArrayBuffer> {
  const [, base64 = ''] =
    /^\s*-----BEGIN PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END PRIVATE KEY-----\s*$/.exec(pem) ?? [];
  if (base64 === '') throw new TypeError('Not PKCS #8 in PEM');
  return Uint8Array.from(atob(base64.replace(/\s/g, '')), (character) => character.charCodeAt(0));
}
