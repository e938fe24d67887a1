import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { type CompactJws, readCompactJws } from '../../src/tokens/compact-jws.js';
import { readJwks } from '../../src/tokens/jwks.js';
import { isSignedByPublicKey } from '../../src/tokens/public-key-signature.js';
import { readJwk } from '../../src/tokens/public-key.js';
import { PUBLIC_KEY_ALGORITHMS, type PublicKeyAlgorithm } from '../../src/tokens/signing-key.js';
import { InvalidTokenError } from '../../src/tokens/token.errors.js';
import { makeKeyPair, publicKeyOf } from './public-key-fixtures.js';
import { makeGate, makeIssuer } from './token-fixtures.js';

interface LibraryTokens {
  readonly claims: object;
  readonly publicKeys: Readonly<Record<PublicKeyAlgorithm, string>>;
  readonly tokens: readonly {
    readonly library: string;
    readonly algorithm: PublicKeyAlgorithm;
    readonly token: string;
  }[];
}

/** Written by test/support/library-tokens.js. */
const LIBRARIES = JSON.parse(readFileSync('test/tokens/library-tokens.json', 'utf8')) as LibraryTokens;

describe('a token of another library', () => {
  const verify = makeGate(
    makeIssuer({
      keys: [],
      publicKeys: PUBLIC_KEY_ALGORITHMS.map((algorithm) => ({
        ...publicKeyOf(makeKeyPair(algorithm)),
        publicKey: createPublicKey(LIBRARIES.publicKeys[algorithm]),
      })),
    }),
  );

  it.each(LIBRARIES.tokens)('$library is accepted: $algorithm', ({ algorithm, token }) => {
    expect(verify(token)).toMatchObject({
      key: { id: `key-of-${algorithm}` },
      claims: { payload: LIBRARIES.claims },
    });
  });

  it('is of PyJWT, ruby-jwt (without EdDSA) and golang-jwt', () => {
    expect(
      LIBRARIES.tokens.map(({ library, algorithm }) => `${library} ${algorithm}`).toSorted(),
    ).toStrictEqual(
      ['PyJWT', 'golang-jwt', 'ruby-jwt']
        .flatMap((library) => PUBLIC_KEY_ALGORITHMS.map((algorithm) => `${library} ${algorithm}`))
        .filter((name) => name !== 'ruby-jwt EdDSA')
        .toSorted(),
    );
  });

  it.each(PUBLIC_KEY_ALGORITHMS)('jose is accepted: %s', async (algorithm) => {
    const pair = makeKeyPair(algorithm);
    const token = await new SignJWT({ transformations: [{ width: 5 }] })
      .setProtectedHeader({ alg: algorithm, kid: pair.id, typ: 'JWT' })
      .setIssuer(makeIssuer().id)
      .setAudience(['images', 'others'])
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(pair.privateKey);
    const issuer = makeIssuer({ publicKeys: [publicKeyOf(pair)], audience: 'images' });
    expect(makeGate(issuer)(token).key.id).toBe(pair.id);
  });
});

/** A JWS of any header: the RFCs' have no `kid`. */
function splitJws(jws: string, algorithm: PublicKeyAlgorithm): CompactJws {
  const [header = '', payload = '', signature = ''] = jws.split('.');
  return { algorithm, keyId: null, payload, signature, signingInput: `${header}.${payload}` };
}

const PAYLOAD =
  'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ';

describe('the example of an RFC', () => {
  it.each<[name: string, algorithm: PublicKeyAlgorithm, jwk: Record<string, string>, jws: string]>([
    [
      '7515, appendix A.2',
      'RS256',
      {
        kty: 'RSA',
        n: 'ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ',
        e: 'AQAB',
      },
      `eyJhbGciOiJSUzI1NiJ9.${PAYLOAD}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw`,
    ],
    [
      '7515, appendix A.3',
      'ES256',
      {
        kty: 'EC',
        crv: 'P-256',
        x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
        y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
      },
      `eyJhbGciOiJFUzI1NiJ9.${PAYLOAD}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q`,
    ],
    [
      '8037, appendix A.4',
      'EdDSA',
      { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' },
      'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg',
    ],
  ])('%s is valid, and invalid once altered', (_, algorithm, jwk, jws) => {
    const read = readJwk(jwk, algorithm);
    if ('fault' in read) throw new Error(read.fault);
    const key = { algorithm, publicKey: read.key };
    expect(isSignedByPublicKey(splitJws(jws, algorithm), key)).toBe(true);
    expect(isSignedByPublicKey(splitJws(jws.replace('.', '.A'), algorithm), key)).toBe(false);
    for (const other of PUBLIC_KEY_ALGORITHMS.filter((name) => name !== algorithm)) {
      expect(isSignedByPublicKey(splitJws(jws, other), key)).toBe(false);
    }
  });
});

interface Vectors {
  readonly testGroups: readonly {
    readonly comment: string;
    readonly key: Readonly<Record<string, unknown>>;
    readonly tests: readonly {
      readonly tcId: number;
      readonly comment: string;
      readonly jws: string;
      readonly result: 'valid' | 'invalid';
    }[];
  }[];
}

/** Valid vectors that are refused, with the reason. */
const EXCEPTIONS: ReadonlyMap<number, string> = new Map([
  [259, 'an empty payload has no claims'],
  [272, 'an empty payload has no claims'],
  [346, 'its header has PS384, and its key PS256'],
  [350, 'its header has PS384, and its key PS256'],
]);

describe('Wycheproof’s vectors of public keys', () => {
  const { testGroups } = JSON.parse(readFileSync('vectors/jws-public-key.json', 'utf8')) as Vectors;
  const cases = testGroups.flatMap(({ key, tests }) => tests.map((test) => ({ ...test, key })));

  it('are over 300', () => {
    expect(cases.length).toBeGreaterThan(300);
  });

  it.each(cases)('$tcId $comment', ({ tcId, jws, result, key }) => {
    // As a JWKS would publish it.
    const [published] = readJwks(Buffer.from(JSON.stringify({ keys: [{ kid: 'x', ...key }] })));
    const isValid = (): boolean => {
      if (published === undefined) return false;
      try {
        return isSignedByPublicKey(readCompactJws(jws), published);
      } catch (error) {
        if (!(error instanceof InvalidTokenError)) throw error;
        return (
          error.reason === 'no_key_id' && isSignedByPublicKey(splitJws(jws, published.algorithm), published)
        );
      }
    };
    expect(isValid()).toBe(result === 'valid' && !EXCEPTIONS.has(tcId));
  });
});
