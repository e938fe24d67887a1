import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { makeAccount } from '../support/account.js';
import { NO_POLICY } from '../../src/policy/compile-policy.js';
import type { Issuer } from '../../src/directory/issuer.js';
import type { HmacAlgorithm, SigningKey } from '../../src/tokens/signing-key.js';
import { TokenService, type VerifiedToken } from '../../src/tokens/token.service.js';

export const SEED_ISSUER_ID = 'cfd3b472-dbba-4089-bce7-f5c1e413b5c1';
export const OTHER_ISSUER_ID = '0b9c8d7e-1111-4222-8333-444455556666';
export const IMAGE_ID = '161400d0-c894-42fd-8100-262361ea91ff';
export const OTHER_IMAGE_ID = '3d616b4e-a597-4b23-aa3d-d7de678f0ba6';

/** The seed's token without its signature, from its document. */
export const SEED_HEADER = 'eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9';
export const SEED_PAYLOAD =
  'eyJpc3MiOiJjZmQzYjQ3Mi1kYmJhLTQwODktYmNlNy1mNWMxZTQxM2I1YzEiLCJ0cmFuc2Zvcm1hdGlvbnMiOlt7IndpZHRoIjoyMDAsIm92ZXJsYXkiOiIzZDYxNmI0ZS1hNTk3LTRiMjMtYWEzZC1kN2RlNjc4ZjBiYTYiLCJmbGFncyI6InRpbGVkIiwibWlhaW0iOiJoZXkgaGV5ICEiLCJzdXBlcl9wbG9wIjoidGVzdD8ifSx7IndpZHRoIjoxMDEsImZsYWdzIjoidGlsZWQiLCJoZWlnaHQiOjEwMiwiY3JvcCI6ImZpdCJ9XSwic2hhcmlucGl4Ijp7fX0';
export const SEED_CLAIMS = {
  iss: SEED_ISSUER_ID,
  transformations: [
    { width: 200, overlay: OTHER_IMAGE_ID, flags: 'tiled', miaim: 'hey hey !', super_plop: 'test?' },
    { width: 101, flags: 'tiled', height: 102, crop: 'fit' },
  ],
  sharinpix: {},
};

/** A distinct 64-byte secret per name: long enough for every algorithm. */
export function makeSecret(name: string): KeyObject {
  return createSecretKey(createHmac('sha512', 'fixture').update(name).digest());
}

export function makeKey(overrides: Partial<SigningKey> = {}): SigningKey {
  const id = overrides.id ?? 'c0ffee00-0000-4000-8000-000000000001';
  return { id, algorithm: 'HS256', secret: makeSecret(id), notBefore: null, notAfter: null, ...overrides };
}

export function makeIssuer(overrides: Partial<Issuer> = {}): Issuer {
  return {
    id: SEED_ISSUER_ID,
    disabled: false,
    notBefore: null,
    account: makeAccount(),
    accountId: null,
    deliveryFormat: 'jpg',
    policy: NO_POLICY,
    issAliases: [],
    audience: null,
    jwksUrl: null,
    keys: [makeKey()],
    publicKeys: [],
    lockedKeys: [],
    ...overrides,
  };
}

/** Verifies a token with these issuers, at the clock's time. */
export type Gate = (token: unknown) => VerifiedToken<Issuer>;

export function makeGate(...issuers: readonly Issuer[]): Gate {
  const service = new TokenService();
  return (token) => {
    const read = service.read(token);
    return service.verify(read, issuers.find(({ id }) => id === read.issuerId) ?? null, Date.now());
  };
}

/** The result as a promise. */
export async function verify(gate: Gate, token: unknown): Promise<VerifiedToken<Issuer>> {
  return Promise.resolve().then(() => gate(token));
}

/** Bytes or text are signed unchanged, anything else as its JSON. */
type Part = Buffer | string | object;

export interface MintOptions {
  readonly header?: Part;
  readonly payload?: Part;
  readonly key?: Pick<SigningKey, 'secret'>;
  /** The algorithm of the HMAC; the header may name another. */
  readonly algorithm?: HmacAlgorithm;
}

/** Signs any header and payload, well-formed or not, with node:crypto. */
export function mint({
  header = { typ: 'JWT', alg: 'HS256' },
  payload = SEED_CLAIMS,
  key = makeKey(),
  algorithm = 'HS256',
}: MintOptions = {}): string {
  return signSegments(`${encode(header)}.${encode(payload)}`, key, algorithm);
}

export function signSegments(
  input: string,
  key: Pick<SigningKey, 'secret'> = makeKey(),
  algorithm: HmacAlgorithm = 'HS256',
): string {
  const mac = createHmac(`sha${algorithm.slice(2)}`, key.secret).update(input);
  return `${input}.${mac.digest('base64url')}`;
}

function encode(part: Part): string {
  if (Buffer.isBuffer(part)) return part.toString('base64url');
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
}
