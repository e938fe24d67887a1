import { createHmac, createPublicKey, createSecretKey, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Issuer } from '../../src/directory/issuer.js';
import { readCompactJws } from '../../src/tokens/compact-jws.js';
import { JwksError, readJwks } from '../../src/tokens/jwks.js';
import { isSignedByPublicKey } from '../../src/tokens/public-key-signature.js';
import { readPublicKey } from '../../src/tokens/public-key.js';
import { SignatureBudget } from '../../src/tokens/signature-budget.js';
import { PUBLIC_KEY_ALGORITHMS, type PublicKeyAlgorithm } from '../../src/tokens/signing-key.js';
import {
  InvalidTokenError,
  IssuerUnavailableError,
  TooManySignaturesError,
} from '../../src/tokens/token.errors.js';
import { TokenService } from '../../src/tokens/token.service.js';
import { makeKeyPair, PRIVATE_KEYS, publicKeyOf, signWithKey } from './public-key-fixtures.js';
import { makeGate, makeIssuer, makeKey, mint, SEED_CLAIMS, SEED_ISSUER_ID } from './token-fixtures.js';

const PAIRS = PUBLIC_KEY_ALGORITHMS.map((algorithm) => makeKeyPair(algorithm));
const issuerOf = (overrides: Partial<Issuer> = {}): Issuer =>
  makeIssuer({ publicKeys: PAIRS.map((pair) => publicKeyOf(pair)), ...overrides });
const gate = makeGate(issuerOf());

/** The reason of a refusal; `accepted` without one. */
function outcomeOf(run: () => unknown): string {
  try {
    run();
    return 'accepted';
  } catch (error) {
    if (error instanceof InvalidTokenError) return error.reason;
    throw error;
  }
}

describe.each(PAIRS)('a token of $algorithm', (pair) => {
  const { algorithm, id, publicKey, pem } = pair;

  it('is accepted under its key', () => {
    expect(gate(signWithKey(pair))).toMatchObject({
      key: { id, algorithm },
      claims: { payload: SEED_CLAIMS },
    });
  });

  it('is refused without a kid', () => {
    for (const kid of [undefined, '', 1, null, [id]]) {
      const token = signWithKey(pair, { header: { alg: algorithm, kid } });
      expect(outcomeOf(() => gate(token))).toBe('no_key_id');
    }
  });

  it.each([['another'], ['../../'], ["' OR 1=1"]])('is refused with the kid %j', (kid) => {
    expect(outcomeOf(() => gate(signWithKey(pair, { header: { alg: algorithm, kid } })))).toBe(
      'not_accepted',
    );
  });

  it('is refused under the name of every other algorithm', () => {
    for (const alg of PUBLIC_KEY_ALGORITHMS.filter((name) => name !== algorithm)) {
      expect(outcomeOf(() => gate(signWithKey(pair, { header: { alg, kid: id } })))).toBe('not_accepted');
      const kid = `key-of-${alg}`;
      expect(outcomeOf(() => gate(signWithKey(pair, { header: { alg: algorithm, kid } })))).toBe(
        'not_accepted',
      );
      expect(outcomeOf(() => gate(signWithKey(pair, { header: { alg, kid } })))).toBe('not_accepted');
    }
    for (const alg of ['none', 'None', 'ES384', 'RS512', 'Ed25519', 'eddsa']) {
      expect(outcomeOf(() => gate(signWithKey(pair, { header: { alg, kid: id } })))).toBe('bad_algorithm');
    }
  });

  it('is refused if the public key was the secret of an HMAC', () => {
    const secrets = [
      pem,
      pem.trimEnd(),
      publicKey.export({ type: 'spki', format: 'der' }),
      JSON.stringify(publicKey.export({ format: 'jwk' })),
    ];
    for (const secret of secrets) {
      for (const header of [{ alg: 'HS256' }, { alg: 'HS256', kid: id }, { alg: algorithm, kid: id }]) {
        const token = mint({ header, key: { secret: createSecretKey(Buffer.from(secret)) } });
        expect(outcomeOf(() => gate(token))).toBe('not_accepted');
      }
    }
  });

  it('is verified by no key that its header contains', () => {
    const stranger = makeKeyPair(algorithm, id, generate(algorithm));
    const jwk = stranger.publicKey.export({ format: 'jwk' });
    for (const extra of [
      { jwk },
      { x5c: ['AAAA'] },
      { jku: 'https://a.example/jwks' },
      { x5u: 'https://a.example' },
    ]) {
      const header = { alg: algorithm, kid: id, ...extra };
      expect(outcomeOf(() => gate(signWithKey(stranger, { header })))).toBe('not_accepted');
      expect(outcomeOf(() => gate(signWithKey(pair, { header })))).toBe('accepted');
    }
  });

  it('is refused with any character changed, or truncated', () => {
    const token = signWithKey(pair, { payload: { iss: SEED_ISSUER_ID } });
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    for (const [at, character] of Array.from(token).entries()) {
      const other = alphabet[alphabet.indexOf(character) ^ 1] ?? 'A';
      // A service of its own: the budget of refused signatures would end.
      expect(
        outcomeOf(() => makeGate(issuerOf())(token.slice(0, at) + other + token.slice(at + 1))),
      ).not.toBe('accepted');
      expect(outcomeOf(() => makeGate(issuerOf())(token.slice(0, at)))).not.toBe('accepted');
    }
  });

  it('is refused with any other bytes for its signature', () => {
    const [header = '', payload = ''] = signWithKey(pair).split('.');
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 600 }), (bytes) => {
        const jws = readCompactJws(`${header}.${payload}.${Buffer.from(bytes).toString('base64url')}`);
        expect(isSignedByPublicKey(jws, publicKeyOf(pair))).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it.each<[name: string, issuer: Partial<Issuer>, outcome: string]>([
    ['an expired key', { publicKeys: [publicKeyOf(pair, { notAfter: new Date(0) })] }, 'not_accepted'],
    [
      'a key that is not valid yet',
      { publicKeys: [publicKeyOf(pair, { notBefore: new Date('2100-01-01') })] },
      'not_accepted',
    ],
    ['no public key', { publicKeys: [] }, 'not_accepted'],
    ['a disabled issuer', { disabled: true }, 'not_accepted'],
    ['an issuer with a later not_before', { notBefore: new Date() }, 'not_accepted'],
    ['an audience', { audience: 'pixseal' }, 'wrong_audience'],
  ])('is refused under %s', (_, issuer, outcome) => {
    expect(outcomeOf(() => makeGate(issuerOf(issuer))(signWithKey(pair)))).toBe(outcome);
  });

  it('is refused with 503 if its key cannot be read', () => {
    const locked = { id, algorithm, secret: null, notBefore: null, notAfter: null };
    const verify = makeGate(issuerOf({ publicKeys: [], lockedKeys: [locked] }));
    expect(() => verify(signWithKey(pair))).toThrow(IssuerUnavailableError);
  });

  it.each<[aud: unknown, accepted: boolean]>([
    ['pixseal', true],
    [['other', 'pixseal'], true],
    ['Pixseal', false],
    [['other'], false],
    [[], false],
    [{ pixseal: true }, false],
    [null, false],
  ])('with the aud %j is accepted for the audience pixseal: %s', (aud, accepted) => {
    const token = signWithKey(pair, { payload: { iss: SEED_ISSUER_ID, aud } });
    const outcome = accepted ? 'accepted' : 'wrong_audience';
    expect(outcomeOf(() => makeGate(issuerOf({ audience: 'pixseal' }))(token))).toBe(outcome);
  });
});

function generate(algorithm: PublicKeyAlgorithm): (typeof PRIVATE_KEYS)['EdDSA'] {
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519').privateKey;
  if (algorithm === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
}

describe('a token of ES256', () => {
  it('is refused with a signature in DER', () => {
    const pair = makeKeyPair('ES256');
    for (let count = 0; count < 20; count += 1) {
      const token = signWithKey(pair, { payload: { iss: SEED_ISSUER_ID, count }, encoding: 'der' });
      expect(outcomeOf(() => gate(token))).toBe('not_accepted');
    }
  });

  it('is refused with r and s of zero', () => {
    const [header = '', payload = ''] = signWithKey(makeKeyPair('ES256')).split('.');
    const zero = Buffer.alloc(64).toString('base64url');
    expect(outcomeOf(() => gate(`${header}.${payload}.${zero}`))).toBe('not_accepted');
  });
});

describe('a token of HS256', () => {
  it('is accepted beside public keys, and refused if its kid names one of them', () => {
    expect(outcomeOf(() => gate(mint()))).toBe('accepted');
    expect(outcomeOf(() => gate(mint({ header: { alg: 'HS256', kid: 'unknown' } })))).toBe('accepted');
    for (const { id } of PAIRS) {
      expect(outcomeOf(() => gate(mint({ header: { alg: 'HS256', kid: id } })))).toBe('not_accepted');
    }
  });

  it('needs no aud, even if its issuer has an audience', () => {
    expect(outcomeOf(() => makeGate(issuerOf({ audience: 'pixseal' }))(mint()))).toBe('accepted');
  });
});

describe('an issuer’s alias', () => {
  const [pair] = PAIRS;
  if (pair === undefined) throw new Error('no key');
  const service = new TokenService();
  const verify = (iss: unknown, issuer: Issuer | null): string =>
    outcomeOf(() =>
      service.verify(service.read(signWithKey(pair, { payload: { iss } })), issuer, Date.now()),
    );

  it('is an iss of its tokens, and of no other issuer’s', () => {
    const alias = 'https://idp.example/';
    expect(verify(alias, issuerOf({ issAliases: [alias] }))).toBe('accepted');
    expect(verify(alias, issuerOf({ issAliases: ['https://idp.example'] }))).toBe('not_accepted');
    expect(verify(alias, issuerOf())).toBe('not_accepted');
    expect(verify(alias, null)).toBe('not_accepted');
    expect(verify(undefined, issuerOf({ issAliases: [alias] }))).toBe('not_accepted');
  });
});

describe('a key of a JWKS', () => {
  const pair = makeKeyPair('EdDSA', 'published');
  const service = new TokenService();
  const verify = (issuer: Issuer, keys = [publicKeyOf(pair, { isRow: false })]): string =>
    outcomeOf(() => service.verify(service.read(signWithKey(pair)), issuer, Date.now(), keys));

  it('verifies tokens, unless an active row has its kid', () => {
    const row = makeKeyPair('EdDSA', 'published', generate('EdDSA'));
    expect(verify(makeIssuer())).toBe('accepted');
    expect(verify(makeIssuer({ publicKeys: [publicKeyOf(row)] }))).toBe('not_accepted');
    expect(verify(makeIssuer({ publicKeys: [publicKeyOf(row, { notAfter: new Date(0) })] }))).toBe(
      'accepted',
    );
    expect(verify(makeIssuer(), [])).toBe('not_accepted');
  });
});

describe('the budget of refused signatures', () => {
  const [pair] = PAIRS;
  if (pair === undefined) throw new Error('no key');
  const start = () => {
    const clock = { now: 0 };
    const service = new TokenService(new SignatureBudget(() => clock.now));
    const issuer = issuerOf();
    const attempt = (token: string, of = issuer): string => {
      try {
        return outcomeOf(() => service.verify(service.read(token), of, Date.now()));
      } catch (error) {
        if (error instanceof TooManySignaturesError) return String(error.status);
        throw error;
      }
    };
    return { clock, attempt };
  };
  const good = signWithKey(pair);
  const forged = signWithKey(makeKeyPair('EdDSA', pair.id, generate('EdDSA')));

  it('is 500 a second for an issuer, and no accepted token costs anything', () => {
    const { clock, attempt } = start();
    for (let count = 0; count < 600; count += 1) expect(attempt(good)).toBe('accepted');
    for (let count = 0; count < 500; count += 1) expect(attempt(forged)).toBe('not_accepted');
    expect([attempt(forged), attempt(good), attempt(mint())]).toStrictEqual(['429', '429', 'accepted']);
    clock.now += 4;
    expect([attempt(good), attempt(forged), attempt(forged), attempt(forged)]).toStrictEqual([
      'accepted',
      'not_accepted',
      'not_accepted',
      '429',
    ]);
    clock.now += 60_000;
    for (let count = 0; count < 500; count += 1) expect(attempt(forged)).toBe('not_accepted');
    expect(attempt(forged)).toBe('429');
  });

  it('is 1,000 a second for all issuers, and 20 more for each', () => {
    const { attempt } = start();
    const issuers = ['a', 'b', 'c'].map((digit) => issuerOf({ id: SEED_ISSUER_ID.replace(/^c/, digit) }));
    const outcomes = issuers.map((issuer) => {
      let checked = 0;
      while (checked < 1_000 && attempt(forged, issuer) === 'not_accepted') checked += 1;
      return checked;
    });
    expect(outcomes).toStrictEqual([500, 500, 20]);
  });

  it('leaves an issuer its 20, and its accepted tokens without limit, while others spend all', () => {
    const { attempt } = start();
    const [a, b, c, victim] = ['a', 'b', 'c', 'd'].map((digit) =>
      issuerOf({ id: SEED_ISSUER_ID.replace(/^c/, digit) }),
    );
    for (let count = 0; count < 500; count += 1) {
      expect([attempt(forged, a), attempt(forged, b)]).toStrictEqual(['not_accepted', 'not_accepted']);
    }
    for (let count = 0; count < 20; count += 1) expect(attempt(forged, c)).toBe('not_accepted');
    for (let count = 0; count < 100; count += 1) {
      expect([attempt(good, victim), attempt(forged, c)]).toStrictEqual(['accepted', '429']);
    }
    for (let count = 0; count < 20; count += 1) expect(attempt(forged, victim)).toBe('not_accepted');
    expect(attempt(good, victim)).toBe('429');
  });

  it('is 2,000 a second in all, however many issuers are flooded', () => {
    const budget = new SignatureBudget(() => 0);
    let checked = 0;
    for (let attempts = 0; attempts < 20_000; attempts += 1) {
      try {
        budget.take(`issuer ${attempts % 400}`);
        checked += 1;
      } catch (error) {
        expect(error).toBeInstanceOf(TooManySignaturesError);
      }
    }
    expect(checked).toBe(2_000);
  });

  it('puts the check of an accepted token back where it came from', () => {
    const budget = new SignatureBudget(() => 0);
    for (let count = 0; count < 500; count += 1) for (const id of ['a', 'b']) budget.take(id);
    const other = budget.take('c');
    for (let count = 0; count < 19; count += 1) budget.take('c');
    budget.putBack(other);
    expect(() => budget.take('d')).not.toThrow();
    expect(() => budget.take('c')).not.toThrow();
    expect(() => budget.take('c')).toThrow(TooManySignaturesError);
  });

  it('is not touched by a kid of no key, or by another algorithm', () => {
    const { attempt } = start();
    for (let count = 0; count < 2_000; count += 1) {
      expect(attempt(signWithKeyOnce)).toBe('not_accepted');
    }
    expect(attempt(good)).toBe('accepted');
  });
  const signWithKeyOnce = signWithKey(pair, { header: { alg: 'EdDSA', kid: 'none' } });
});

describe('readPublicKey', () => {
  const jwkOf = (algorithm: PublicKeyAlgorithm): Record<string, unknown> => ({
    ...createPublicKey(PRIVATE_KEYS[algorithm]).export({ format: 'jwk' }),
  });

  it.each(PAIRS)('reads a key of $algorithm in PEM and as a JWK', ({ algorithm, pem, publicKey }) => {
    const jwk = jwkOf(algorithm);
    const forms = [
      pem,
      `\n${pem}\n`,
      pem.replaceAll('\n', '\r\n'),
      jwk,
      { ...jwk, alg: algorithm, kid: 'x', use: 'sig' },
      JSON.stringify(jwk),
    ];
    for (const form of forms) {
      const read = readPublicKey(form, algorithm);
      expect('key' in read && read.key.equals(publicKey)).toBe(true);
    }
  });

  it('reads an RSA key in PKCS #1', () => {
    const { publicKey } = makeKeyPair('RS256');
    const pem = publicKey.export({ type: 'pkcs1', format: 'pem' });
    expect(readPublicKey(pem, 'RS256')).toHaveProperty('key');
  });

  it.each(PAIRS)(
    'refuses the private key of $algorithm, and repeats no part of it',
    ({ algorithm, privateKey }) => {
      const forms = [
        privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        privateKey.export({ format: 'jwk' }),
        JSON.stringify(privateKey.export({ format: 'jwk' })),
      ];
      for (const form of forms) {
        expect(readPublicKey(form, algorithm)).toStrictEqual({
          fault:
            'must be a public key, and contains a private or secret one, which was not stored. Pass the public key, and replace this one if others may have read it',
        });
      }
    },
  );

  const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve }).publicKey;
  it.each<[name: string, value: unknown, algorithm: PublicKeyAlgorithm]>([
    ['of Ed448', generateKeyPairSync('ed448').publicKey, 'EdDSA'],
    ['of X25519', generateKeyPairSync('x25519').publicKey, 'EdDSA'],
    ['of P-384', ec('P-384'), 'ES256'],
    ['of secp256k1', ec('secp256k1'), 'ES256'],
    ['of RSA with 2,047 bits', generateKeyPairSync('rsa', { modulusLength: 2047 }).publicKey, 'RS256'],
    ['of RSA with 4,224 bits', generateKeyPairSync('rsa', { modulusLength: 4224 }).publicKey, 'PS256'],
    ['of RSA-PSS', generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey, 'PS256'],
    ...PUBLIC_KEY_ALGORITHMS.flatMap((algorithm) =>
      PAIRS.filter(
        (pair) =>
          pair.publicKey.asymmetricKeyType !== createPublicKey(PRIVATE_KEYS[algorithm]).asymmetricKeyType,
      ).map(
        (pair) =>
          [`of ${pair.algorithm}`, pair.publicKey, algorithm] as [string, unknown, PublicKeyAlgorithm],
      ),
    ),
  ])('refuses a key %s for another algorithm', (_, key, algorithm) => {
    const pem = (key as ReturnType<typeof createPublicKey>).export({ type: 'spki', format: 'pem' });
    expect(readPublicKey(pem, algorithm)).toHaveProperty('fault');
  });

  it.each<[name: string, value: unknown]>([
    ['nothing', ''],
    ['text', 'not a key'],
    ['a certificate', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'],
    ['a broken key', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----'],
    ['a long text', '-----BEGIN PUBLIC KEY-----\n'.padEnd(10_000, 'A')],
    ['a symmetric JWK', { kty: 'oct', k: 'AAAA' }],
    [
      'a JWK of another alg',
      { ...createPublicKey(PRIVATE_KEYS.RS256).export({ format: 'jwk' }), alg: 'PS256' },
    ],
    ['an exponent of 1', { ...createPublicKey(PRIVATE_KEYS.RS256).export({ format: 'jwk' }), e: 'AQ' }],
    ['an even exponent', { ...createPublicKey(PRIVATE_KEYS.RS256).export({ format: 'jwk' }), e: 'BA' }],
    [
      'an exponent of 40 bits',
      { ...createPublicKey(PRIVATE_KEYS.RS256).export({ format: 'jwk' }), e: '__________8' },
    ],
    ['an empty JWK', {}],
    ['a list', []],
    ['a number', 1],
    ['null', null],
  ])('refuses %s', (_, value) => {
    expect(readPublicKey(value, 'RS256')).toHaveProperty('fault');
  });
});

describe('readJwks', () => {
  const jwk = (pair: (typeof PAIRS)[number], extra: object = {}): object => ({
    ...pair.publicKey.export({ format: 'jwk' }),
    kid: pair.id,
    ...extra,
  });
  const read = (keys: readonly unknown[], extra: object = {}): unknown =>
    readJwks(Buffer.from(JSON.stringify({ keys, ...extra }))).map(({ id, algorithm }) => [id, algorithm]);
  const [eddsa, es256, rs256, ps256] = PAIRS as [
    (typeof PAIRS)[number],
    (typeof PAIRS)[number],
    (typeof PAIRS)[number],
    (typeof PAIRS)[number],
  ];

  it('reads every key by its alg, or the usual one of its type', () => {
    const keys = [jwk(eddsa), jwk(es256), jwk(rs256), jwk(ps256, { alg: 'PS256', use: 'sig', x5c: ['AA'] })];
    expect(read(keys, { other: 1 })).toStrictEqual([
      ['key-of-EdDSA', 'EdDSA'],
      ['key-of-ES256', 'ES256'],
      ['key-of-RS256', 'RS256'],
      ['key-of-PS256', 'PS256'],
    ]);
  });

  it.each<[name: string, key: unknown]>([
    ['without a kid', jwk(eddsa, { kid: undefined })],
    ['with a kid of 256 characters', jwk(eddsa, { kid: 'k'.repeat(256) })],
    ['for encryption', jwk(rs256, { use: 'enc' })],
    ['for other operations', jwk(rs256, { key_ops: ['encrypt'] })],
    ['of another algorithm', jwk(rs256, { alg: 'RS512' })],
    ['of an HMAC', { kty: 'oct', k: 'AAAA', kid: 'x', alg: 'HS256' }],
    ['that is private', { ...PRIVATE_KEYS.EdDSA.export({ format: 'jwk' }), kid: 'x' }],
    ['that is malformed', { kty: 'RSA', n: '!', e: 'AQAB', kid: 'x' }],
    ['that is text', 'key'],
    ['that is null', null],
  ])('leaves out a key %s', (_, key) => {
    expect(read([key, jwk(es256)])).toStrictEqual([['key-of-ES256', 'ES256']]);
  });

  it('reads 16 keys and refuses 17', () => {
    const keys = Array.from({ length: 16 }, (_, index) => jwk(eddsa, { kid: String(index) }));
    expect(read(keys)).toHaveLength(16);
    expect(() => read([...keys, null])).toThrow(JwksError);
  });

  it.each([
    ['[]'],
    ['{}'],
    ['{"keys":{}}'],
    ['{"keys":[],"keys":[]}'],
    ['\ufeff{"keys":[]}'],
    [''],
    ['<html>'],
  ])('refuses %j', (text) => {
    expect(() => readJwks(Buffer.from(text))).toThrow(JwksError);
  });
});

describe('an HMAC over a public key', () => {
  it('never equals a signature of the issuer’s own secret', () => {
    const pair = makeKeyPair('RS256');
    const input = mint().split('.').slice(0, 2).join('.');
    const mac = createHmac('sha256', pair.pem).update(input).digest('base64url');
    expect(outcomeOf(() => makeGate(issuerOf({ keys: [makeKey()] }))(`${input}.${mac}`))).toBe(
      'not_accepted',
    );
  });
});
