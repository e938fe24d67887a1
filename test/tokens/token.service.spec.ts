import { syncBuiltinESMExports } from 'node:module';
import crypto, { createSecretKey, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Issuer } from '../../src/directory/issuer.js';
import { HMAC_ALGORITHMS, type SigningKey } from '../../src/tokens/signing-key.js';
import {
  InvalidTokenError,
  type InvalidTokenReason,
  TokenRequiredError,
} from '../../src/tokens/token.errors.js';
import { TokenService } from '../../src/tokens/token.service.js';
import {
  type Gate,
  IMAGE_ID,
  makeIssuer,
  makeKey,
  makeSecret,
  makeGate,
  mint,
  OTHER_IMAGE_ID,
  OTHER_ISSUER_ID,
  SEED_CLAIMS,
  SEED_HEADER,
  SEED_ISSUER_ID,
  SEED_PAYLOAD,
  signSegments,
  verify,
} from './token-fixtures.js';

const NOW = 1_764_000_000;
const DAY = 86_400;

const otherIssuer = makeIssuer({
  id: OTHER_ISSUER_ID,
  keys: [makeKey({ id: 'other-key', secret: makeSecret('other') })],
});
const service = makeGate(makeIssuer(), otherIssuer);

/** The refusal of a promise, as the client gets it. */
async function responseTo(token: unknown, gate: Gate = service): Promise<object> {
  const error: unknown = await verify(gate, token).then(
    () => new Error('the token was accepted'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof InvalidTokenError)) throw error;
  const { status, code, detail, headers, extensions } = error;
  return { status, code, detail, headers, extensions };
}

const refusal = (reason: InvalidTokenReason): object => {
  const { status, code, detail, headers, extensions } = InvalidTokenError.because(reason);
  return { status, code, detail, headers, extensions };
};

const withClaims = (claims: object): string => mint({ payload: { ...SEED_CLAIMS, ...claims } });
const withPayloadText = (member: string): string =>
  mint({ payload: `{"iss":"${SEED_ISSUER_ID}",${member}}` });
const daysFromNow = (days: number): Date => new Date((NOW + days * DAY) * 1000);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: NOW * 1000 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('an accepted token', () => {
  it("yields the seed's issuer, key and claims", async () => {
    await expect(verify(service, mint())).resolves.toStrictEqual({
      issuer: makeIssuer(),
      key: makeKey(),
      claims: {
        issuerId: SEED_ISSUER_ID,
        payload: SEED_CLAIMS,
        imageId: null,
        imageIds: null,
        transformations: SEED_CLAIMS.transformations,
        download: true,
        original: false,
        fullSize: false,
        filename: null,
        expiresAt: null,
        notBefore: null,
        issuedAt: null,
        jwtId: null,
        sessionId: null,
        maxUses: null,
        addresses: null,
      },
      validity: { from: -Infinity, until: Infinity },
    });
  });

  it('yields every optional claim', async () => {
    const { claims } = await verify(
      service,
      withClaims({
        image_id: [IMAGE_ID.toUpperCase(), OTHER_IMAGE_ID],
        sharinpix: { download: false, original: true },
        exp: NOW + 60.5,
        nbf: NOW,
        iat: NOW - 60,
        jti: 'j-1',
        session_id: 'Sitzung 😀',
        max_uses: 3,
        bind_ip: ['192.0.2.0/24'],
      }),
    );
    expect(claims).toStrictEqual({
      issuerId: SEED_ISSUER_ID,
      payload: expect.objectContaining({ jti: 'j-1' }) as object,
      imageId: null,
      imageIds: [IMAGE_ID, OTHER_IMAGE_ID],
      transformations: SEED_CLAIMS.transformations,
      download: false,
      original: true,
      fullSize: false,
      filename: null,
      expiresAt: NOW + 60.5,
      notBefore: NOW,
      issuedAt: NOW - 60,
      jwtId: 'j-1',
      sessionId: 'Sitzung 😀',
      maxUses: 3,
      addresses: [{ groups: [0, 0, 0, 0, 0, 0xffff, 0xc000, 0x200], bits: 120 }],
    });
  });

  it('may name its image, in either case', async () => {
    const { claims } = await verify(service, withClaims({ image_id: IMAGE_ID.toUpperCase() }));
    expect(claims).toMatchObject({ imageId: IMAGE_ID, imageIds: null });
  });

  it.each([
    [{}, true, false],
    [{ download: false }, false, false],
    [{ download: 'false' }, true, false],
    [{ download: 0 }, true, false],
    [{ download: null }, true, false],
    [{ original: true }, true, true],
    [{ original: 'true' }, true, false],
    [{ original: 1 }, true, false],
    [{ original: true, download: false }, false, true],
    [null, true, false],
    ['original', true, false],
    [[{ original: true }], true, false],
  ])('with sharinpix %j has download %s and original %s', async (sharinpix, download, original) => {
    const { claims } = await verify(service, withClaims({ sharinpix }));
    expect(claims).toMatchObject({ download, original });
  });

  it('is not changed by a `__proto__` in its claims', async () => {
    const token = withPayloadText(
      '"sharinpix":{"__proto__":{"original":true}},"__proto__":{"image_id":"x","exp":1}',
    );
    const { claims } = await verify(service, token);
    expect(claims).toMatchObject({
      original: false,
      imageId: null,
      expiresAt: null,
      transformations: undefined,
    });
  });

  it.each([null, 'none', 42, [[]], {}])('yields transformations unchecked: %j', async (transformations) => {
    const { claims } = await verify(service, withClaims({ transformations }));
    expect(claims.transformations).toStrictEqual(transformations);
  });

  it.each(HMAC_ALGORITHMS)('may be signed by jose, with %s', async (algorithm) => {
    const key = makeKey({ algorithm });
    const gate = makeGate(makeIssuer({ keys: [key] }));
    const token = await new SignJWT(SEED_CLAIMS)
      .setProtectedHeader({ alg: algorithm })
      .setIssuedAt(NOW)
      .setExpirationTime(NOW + 60)
      .setJti('j-1')
      .sign(key.secret);
    const { key: signer, claims } = await verify(gate, token);
    expect(signer.id).toBe(key.id);
    expect(claims).toMatchObject({
      transformations: SEED_CLAIMS.transformations,
      issuedAt: NOW,
      expiresAt: NOW + 60,
      jwtId: 'j-1',
    });
  });

  it.each(['jwt', 'at+jwt', 'JOSE', undefined])('may have the `typ` %s', async (typ) => {
    await expect(verify(service, mint({ header: { typ, alg: 'HS256' } }))).resolves.toBeDefined();
  });
});

describe('the form of a token', () => {
  const good = mint();
  const [header = '', payload = '', signature = ''] = good.split('.');

  it.each<[string, unknown]>([
    ['repeated', [good, good]],
    ['in an array of one', [good]],
    ['empty', ''],
    ['missing', undefined],
    ['null', null],
    ['an object', { toString: () => good }],
    ['a String object', Object(good)],
  ])('is refused when it is %s', async (_, token) => {
    expect(await responseTo(token)).toStrictEqual(refusal('missing_or_repeated'));
  });

  it.each([
    ['one segment', header],
    ['two segments', `${header}.${payload}`],
    ['an empty signature', `${header}.${payload}.`],
    ['an empty payload', signSegments(`${header}.`)],
    ['an empty header', signSegments(`.${payload}`)],
    ['a.b', 'a.b'],
    ['two dots', '..'],
    ['four segments', `${good}.AAAA`],
    ['a dot after', `${good}.`],
    ['a dot before', `.${good}`],
    ['a newline after', `${good}\n`],
    ['a carriage return after', `${good}\r`],
    ['a space before', ` ${good}`],
    ['a space after', `${good} `],
    ['padding on the signature', `${good}=`],
    ['padding on the payload, signed', signSegments(`${header}.${payload}=`)],
    ['a `+`', `${header}.${payload}.+${signature.slice(1)}`],
    ['a `/`', `${header}.${payload}./${signature.slice(1)}`],
    ['a NUL', `${good}\0`],
    ['a percent escape', `${good}%0A`],
    ['a fullwidth letter', good.replace('e', 'ｅ')],
    ['a segment of 4n + 1 characters, signed', signSegments(`${header}.${payload}AAA`)],
    ['a signature shorter by one character', good.slice(0, -1)],
  ])('is refused with %s', async (_, token) => {
    expect((await responseTo(token)) as { code: string }).toMatchObject({
      status: 401,
      code: 'invalid_token',
    });
  });

  it('is refused above 8 KiB, although its signature is valid', async () => {
    const token = withClaims({ filler: 'x'.repeat(6_200) });
    expect(token.length).toBeGreaterThan(8192);
    expect(await responseTo(token)).toStrictEqual(refusal('too_long'));
  });

  it('has one spelling: every unused-bit variant of every segment is refused', async () => {
    const alphabet = Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');
    const respell = (segment: string): string[] =>
      alphabet
        .map((last) => segment.slice(0, -1) + last)
        .filter(
          (other) =>
            other !== segment && Buffer.from(other, 'base64url').equals(Buffer.from(segment, 'base64url')),
        );
    // Segments of every length; signed again, so that the HMAC is not the reason of the refusal.
    const lengths = ['', 'x', 'xx'].map((x) =>
      mint({ header: { alg: 'HS256', x }, payload: { ...SEED_CLAIMS, x } }),
    );
    const variants = lengths.flatMap((token) => {
      const [head = '', body = '', mac = ''] = token.split('.');
      return [
        ...respell(head).map((other) => signSegments(`${other}.${body}`)),
        ...respell(body).map((other) => signSegments(`${head}.${other}`)),
        ...respell(mac).map((other) => `${head}.${body}.${other}`),
      ];
    });
    // 15 for a remainder of two characters, 3 for one of three: each for headers and payloads; a MAC's remainder is three.
    expect(variants).toHaveLength(15 + 3 + 15 + 3 + 3 * 3);
    for (const token of variants) expect(await responseTo(token)).toStrictEqual(refusal('not_compact'));
  });
});

describe('the header', () => {
  it.each([
    ['none', { alg: 'none' }],
    ['None', { alg: 'None' }],
    ['hs256', { alg: 'hs256' }],
    ['an array', { alg: ['HS256'] }],
    ['missing', { typ: 'JWT' }],
    ['null', { alg: null }],
    ['RS512', { alg: 'RS512' }],
    ['ES384', { alg: 'ES384' }],
    ['HS1', { alg: 'HS1' }],
    ['with a space', { alg: 'HS256 ' }],
    ['behind __proto__', '{"__proto__":{"alg":"HS256"}}'],
  ])('with alg %s is refused', async (_, header) => {
    expect(await responseTo(mint({ header }))).toStrictEqual(refusal('bad_algorithm'));
  });

  it.each(['EdDSA', 'ES256', 'RS256', 'PS256'])('with alg %s and no kid is refused', async (alg) => {
    expect(await responseTo(mint({ header: { alg } }))).toStrictEqual(refusal('no_key_id'));
    expect(await responseTo(mint({ header: { alg, kid: 'x' } }))).toStrictEqual(refusal('not_accepted'));
  });

  it('with alg none and no signature is refused', async () => {
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    expect(await responseTo(`${none}.${SEED_PAYLOAD}.`)).toStrictEqual(refusal('not_compact'));
    expect(await responseTo(`${none}.${SEED_PAYLOAD}.AA`)).toStrictEqual(refusal('bad_algorithm'));
  });

  it('does not turn a public key into an HMAC secret', async () => {
    const { publicKey } = generateKeyPairSync('ed25519');
    const pem = publicKey.export({ type: 'spki', format: 'pem' });
    const token = mint({ key: { secret: createSecretKey(Buffer.from(pem)) } });
    expect(await responseTo(token)).toStrictEqual(refusal('not_accepted'));
  });

  it.each(
    HMAC_ALGORITHMS.flatMap((row) =>
      HMAC_ALGORITHMS.filter((alg) => alg !== row).map((alg) => [row, alg] as const),
    ),
  )('of a %s key may not choose %s', async (row, alg) => {
    const key = makeKey({ algorithm: row });
    const gate = makeGate(makeIssuer({ keys: [key] }));
    for (const algorithm of HMAC_ALGORITHMS) {
      expect(await responseTo(mint({ header: { alg }, key, algorithm }), gate)).toStrictEqual(
        refusal('not_accepted'),
      );
    }
  });

  it.each([
    ['an unknown crit', '{"alg":"HS256","crit":["x"],"x":1}'],
    ['an empty crit', '{"alg":"HS256","crit":[]}'],
    ['a null crit', '{"alg":"HS256","crit":null}'],
    ['b64 false', '{"alg":"HS256","b64":false,"crit":["b64"]}'],
    ['b64 false without crit', '{"alg":"HS256","b64":false}'],
    ['b64 true', '{"alg":"HS256","b64":true}'],
    ['a repeated alg', '{"alg":"none","alg":"HS256"}'],
    ['the same alg twice', '{"alg":"HS256","alg":"HS256"}'],
    ['a repeated, escaped alg', '{"alg":"HS256","\\u0061lg":"none"}'],
    ['a repeated name deep inside', '{"alg":"HS256","jwk":{"k":1,"k":2}}'],
    ['an array', '[{"alg":"HS256"}]'],
    ['null', 'null'],
    ['a string', '"HS256"'],
    ['no JSON', 'HS256'],
    ['a BOM', '\ufeff{"alg":"HS256"}'],
    ['17 levels', `{"alg":"HS256","x":${'['.repeat(16)}${']'.repeat(16)}}`],
    ['invalid UTF-8', Buffer.from([...Buffer.from('{"alg":"HS256","x":"'), 0xff, 0x22, 0x7d])],
  ])('with %s is refused', async (_, header) => {
    expect(await responseTo(mint({ header }))).toStrictEqual(refusal('bad_header'));
  });

  it.each(['jku', 'x5u'])('may have a %s, which is never fetched', async (name) => {
    const fetched = vi.spyOn(globalThis, 'fetch');
    await verify(service, mint({ header: { alg: 'HS256', [name]: 'https://attacker.example/' } }));
    expect(fetched).not.toHaveBeenCalled();
    fetched.mockRestore();
  });

  it('may have a jwk, which is never used', async () => {
    const secret = makeSecret('attacker');
    const header = { alg: 'HS256', jwk: secret.export({ format: 'jwk' }) };
    expect(await responseTo(mint({ header, key: { secret } }))).toStrictEqual(refusal('not_accepted'));
  });
});

describe('the payload', () => {
  const iss = `"iss":"${SEED_ISSUER_ID}"`;

  it.each([
    ['an array', `[{${iss}}]`],
    ['null', 'null'],
    ['a string', `"${SEED_ISSUER_ID}"`],
    ['a number', '1'],
    ['no JSON', 'iss'],
    ['a BOM', `\ufeff{${iss}}`],
    ['invalid UTF-8', Buffer.from([...Buffer.from(`{${iss},"x":"`), 0xc3, 0x28, 0x22, 0x7d])],
    ['a repeated iss', `{${iss},${iss}}`],
    ['a repeated, escaped iss', `{${iss},"\\u0069ss":"${OTHER_ISSUER_ID}"}`],
    ['repeated transformations', `{${iss},"transformations":[],"transformations":[{"width":1}]}`],
    ['a repeated name in a step', `{${iss},"transformations":[{"width":1,"width":2}]}`],
    ['a repeated __proto__', `{${iss},"__proto__":1,"__proto__":2}`],
    ['17 levels', `{${iss},"x":${'['.repeat(16)}${']'.repeat(16)}}`],
    ['1,000 levels', `{${iss},"x":${'['.repeat(999)}${']'.repeat(999)}}`],
    ['1,000 levels of objects', `{${iss},"x":${'{"":'.repeat(999)}1${'}'.repeat(999)}}`],
  ])('that is or has %s is refused, though well signed', async (_, payload) => {
    expect(await responseTo(mint({ payload }))).toStrictEqual(refusal('bad_payload'));
  });

  it('with 16 levels is accepted', async () => {
    const payload = `{${iss},"x":${'['.repeat(15)}${']'.repeat(15)}}`;
    await expect(verify(service, mint({ payload }))).resolves.toBeDefined();
  });

  it('is not read before its signature is verified: an expired forgery gets the response of any forgery', async () => {
    const key = { secret: makeSecret('attacker') };
    for (const claims of [{ exp: 1 }, { exp: 'soon' }, { nbf: NOW + DAY }, { image_id: 'x' }, { jti: 1 }]) {
      const token = mint({ payload: { ...SEED_CLAIMS, ...claims }, key });
      expect(await responseTo(token)).toStrictEqual(refusal('not_accepted'));
    }
  });
});

describe('the signature', () => {
  const good = mint();
  const input = `${SEED_HEADER}.${SEED_PAYLOAD}`;
  const mac = Buffer.from(good.slice(input.length + 1), 'base64url');
  const withMac = (bytes: Uint8Array): string => `${input}.${Buffer.from(bytes).toString('base64url')}`;

  it('is refused with any bit flipped', async () => {
    for (let bit = 0; bit < mac.length * 8; bit++) {
      const flipped = Buffer.from(mac);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(await responseTo(withMac(flipped))).toStrictEqual(refusal('not_accepted'));
    }
  });

  it.each([1, 16, 31])('is refused if truncated to %i bytes', async (length) => {
    expect(await responseTo(withMac(mac.subarray(0, length)))).toStrictEqual(refusal('not_accepted'));
  });

  it.each([
    ['a byte more', Buffer.concat([mac, Buffer.from([0])])],
    ['itself twice', Buffer.concat([mac, mac])],
    ['zeros', Buffer.alloc(32)],
  ])('is refused with %s', async (_, bytes) => {
    expect(await responseTo(withMac(bytes))).toStrictEqual(refusal('not_accepted'));
  });

  it.each(HMAC_ALGORITHMS)('of %s is refused without its last byte', async (algorithm) => {
    const key = makeKey({ algorithm });
    const gate = makeGate(makeIssuer({ keys: [key] }));
    const token = mint({ header: { alg: algorithm }, key, algorithm });
    await expect(verify(gate, token)).resolves.toBeDefined();
    const cut = Buffer.from(token.split('.')[2] ?? '', 'base64url')
      .subarray(0, -1)
      .toString('base64url');
    expect(await responseTo(`${token.split('.').slice(0, 2).join('.')}.${cut}`, gate)).toStrictEqual(
      refusal('not_accepted'),
    );
  });

  it('is compared in constant time', async () => {
    const compared = vi.spyOn(crypto, 'timingSafeEqual');
    syncBuiltinESMExports();
    await verify(service, good);
    await responseTo(withMac(Buffer.alloc(32)));
    expect(compared).toHaveBeenCalledTimes(2);
    compared.mockRestore();
    syncBuiltinESMExports();
  });
});

describe('the response that must not reveal which issuers exist', () => {
  const disabledId = 'dddddddd-0000-4000-8000-000000000000';
  const keylessId = 'eeeeeeee-0000-4000-8000-000000000000';
  const retired = makeKey({ id: 'retired', notAfter: daysFromNow(-1) });
  const issuers: readonly Issuer[] = [
    makeIssuer({ keys: [makeKey(), retired] }),
    otherIssuer,
    makeIssuer({ id: disabledId, disabled: true }),
    makeIssuer({ id: keylessId, keys: [] }),
  ];
  const withIss = (iss: unknown): string => withClaims({ iss });

  const cases: [string, string][] = [
    ['a bad signature', `${SEED_HEADER}.${SEED_PAYLOAD}.${Buffer.alloc(32).toString('base64url')}`],
    ['iss missing', mint({ payload: { transformations: [] } })],
    ['iss a number', withIss(1)],
    ['iss null', withIss(null)],
    ['iss an array', withIss([SEED_ISSUER_ID])],
    ['iss an object', withIss({ id: SEED_ISSUER_ID })],
    ['iss empty', withIss('')],
    ['iss upper-case', withIss(SEED_ISSUER_ID.toUpperCase())],
    ['iss without dashes', withIss(SEED_ISSUER_ID.replaceAll('-', ''))],
    ['iss with a newline', withIss(`${SEED_ISSUER_ID}\n`)],
    ['iss unknown', withIss('00000000-0000-4000-8000-000000000000')],
    ['iss __proto__', withIss('__proto__')],
    ['iss behind __proto__', mint({ payload: `{"__proto__":{"iss":"${SEED_ISSUER_ID}"}}` })],
    ['another issuer’s key', mint({ key: { secret: makeSecret('other') } })],
    [
      'another issuer’s key, named',
      mint({ header: { alg: 'HS256', kid: 'other-key' }, key: { secret: makeSecret('other') } }),
    ],
    ['another issuer’s name', withIss(OTHER_ISSUER_ID)],
    ['a disabled issuer', withIss(disabledId)],
    ['an issuer without keys', withIss(keylessId)],
    ['a retired key', mint({ key: retired })],
    ['a retired key, named', mint({ header: { alg: 'HS256', kid: 'retired' }, key: retired })],
    ['another algorithm than the key’s', mint({ header: { alg: 'HS512' }, algorithm: 'HS512' })],
  ];

  it.each(cases)('to %s is that to a wrong signature', async (_, token) => {
    expect(await responseTo(token, makeGate(...issuers))).toStrictEqual(refusal('not_accepted'));
  });

  it.each(cases)('to %s costs one HMAC of its algorithm, like a wrong signature', async (_, token) => {
    const gate = makeGate(...issuers);
    const { alg } = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as {
      alg: string;
    };
    const hmac = vi.spyOn(crypto, 'createHmac');
    syncBuiltinESMExports();
    await responseTo(token, gate);
    const name = `sha${alg.slice(2)}`;
    expect(hmac.mock.calls.map(([algorithm]) => algorithm)).toStrictEqual([name]);
    hmac.mockRestore();
    syncBuiltinESMExports();
  });

  it('reads only a canonical issuer id', () => {
    const service = new TokenService();
    for (const [, token] of cases) {
      const { issuerId } = service.read(token);
      expect(issuerId ?? SEED_ISSUER_ID).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    }
  });
});

describe('keys', () => {
  const newest = makeKey({ id: 'newest', algorithm: 'HS512', notBefore: daysFromNow(-1) });
  const older = makeKey({ id: 'older', notAfter: daysFromNow(1) });
  const twin = makeKey({ id: 'twin' });
  const retired = makeKey({ id: 'retired', notAfter: daysFromNow(-1) });
  const future = makeKey({ id: 'future', notBefore: daysFromNow(1) });
  const gate = makeGate(makeIssuer({ keys: [future, newest, older, twin, retired] }), otherIssuer);
  const sign = (key: SigningKey, kid?: unknown): string =>
    mint({ header: { typ: 'JWT', alg: key.algorithm, kid }, key, algorithm: key.algorithm });

  it.each([newest, older, twin])('are valid while they overlap: $id', async (key) => {
    await expect(verify(gate, sign(key))).resolves.toMatchObject({ key: { id: key.id } });
    await expect(verify(gate, sign(key, key.id))).resolves.toMatchObject({ key: { id: key.id } });
  });

  it.each([retired, future])('are not valid outside of their period: $id', async (key) => {
    for (const kid of [undefined, key.id, 'older']) {
      expect(await responseTo(sign(key, kid), gate)).toStrictEqual(refusal('not_accepted'));
    }
  });

  it('are valid from notBefore until just before notAfter', async () => {
    const key = makeKey({ notBefore: daysFromNow(0), notAfter: daysFromNow(1) });
    const timed = makeGate(makeIssuer({ keys: [key] }));
    const at = async (milliseconds: number): Promise<boolean> => {
      vi.setSystemTime(milliseconds);
      return verify(timed, mint({ key })).then(
        () => true,
        () => false,
      );
    };
    expect(await at(NOW * 1000 - 1)).toBe(false);
    expect(await at(NOW * 1000)).toBe(true);
    expect(await at((NOW + DAY) * 1000 - 1)).toBe(true);
    expect(await at((NOW + DAY) * 1000)).toBe(false);
  });

  it.each<[unknown]>([
    ["' OR 1=1"],
    ['../../'],
    ['/dev/null'],
    [''],
    ['OLDER'],
    ['retired'],
    ['future'],
    ['other-key'],
    ['__proto__'],
    [0],
    [null],
    [['twin']],
    [{ id: 'twin' }],
  ])('are tried as without a kid when it is %j', async (kid) => {
    await expect(verify(gate, sign(older, kid))).resolves.toMatchObject({ key: { id: 'older' } });
  });

  it('are limited to the one that kid names', async () => {
    expect(await responseTo(sign(older, 'twin'), gate)).toStrictEqual(refusal('not_accepted'));
    expect(await responseTo(sign(older, 'newest'), gate)).toStrictEqual(refusal('not_accepted'));
  });

  it('are tried newest first', () => {
    const same = makeSecret('same');
    const pair = [makeKey({ id: 'b', secret: same }), makeKey({ id: 'a', secret: same })];
    const { key } = makeGate(makeIssuer({ keys: pair }))(mint({ key: { secret: same } }));
    expect(key.id).toBe('b');
  });
});

describe('times', () => {
  // A leeway of 30 seconds each; RFC 7519 §4.1.4: `exp` is the first instant at which a token is refused.
  it.each([
    ['exp', -29, null],
    ['exp', -30, 'expired'],
    ['exp', -31, 'expired'],
    ['exp', -DAY, 'expired'],
    ['exp', 0, null],
    ['nbf', 30, null],
    ['nbf', 31, 'not_yet_valid'],
    ['nbf', DAY, 'not_yet_valid'],
    ['nbf', -DAY, null],
    ['iat', 30, null],
    ['iat', 31, 'issued_ahead'],
    ['iat', DAY, 'issued_ahead'],
    ['iat', -DAY, null],
  ] as const)('with %s %i seconds from now: %s', async (claim, seconds, reason) => {
    const token = withClaims({ [claim]: NOW + seconds });
    if (reason === null) await expect(verify(service, token)).resolves.toBeDefined();
    else expect(await responseTo(token)).toStrictEqual(refusal(reason));
  });

  it('expire: a token is valid until `exp` plus the leeway', async () => {
    const token = withClaims({ exp: NOW + 60 });
    vi.setSystemTime((NOW + 90) * 1000 - 1);
    await expect(verify(service, token)).resolves.toBeDefined();
    vi.setSystemTime((NOW + 90) * 1000);
    expect(await responseTo(token)).toStrictEqual(refusal('expired'));
  });

  it.each(
    ['exp', 'nbf', 'iat'].flatMap((claim) =>
      [
        '"1764000060"',
        'null',
        'true',
        '[]',
        '{}',
        '1e400',
        '-1e400',
        '-1',
        '1e11',
        '1764000060000',
        '1e300',
      ].map((value) => [claim, value] as const),
    ),
  )('are refused when not plausible seconds: %s %s', async (claim, value) => {
    expect(await responseTo(withPayloadText(`"${claim}":${value}`))).toStrictEqual(refusal('bad_time'));
  });

  it.each(['99999999999', '99999999999.5', '1764000060.25', '1.76400006e9'])(
    'may be `exp` %s',
    async (value) => {
      const { claims } = await verify(service, withPayloadText(`"exp":${value}`));
      expect(claims.expiresAt).toBe(Number(value));
    },
  );

  it('may be zero: `nbf`, `iat` and `exp` 0 are in the past', async () => {
    await expect(verify(service, withClaims({ nbf: 0, iat: 0 }))).resolves.toMatchObject({
      claims: { issuedAt: 0 },
    });
    expect(await responseTo(withClaims({ exp: 0 }))).toStrictEqual(refusal('expired'));
  });
});

describe('other claims', () => {
  it.each([
    [''],
    ['image.jpg'],
    [`${IMAGE_ID}/../x`],
    [null],
    [1],
    [{}],
    [[]],
    [['image.jpg']],
    [[IMAGE_ID, 1]],
    [[[IMAGE_ID]]],
    [[IMAGE_ID, null]],
  ])('are refused with image_id %j', async (image_id) => {
    expect(await responseTo(withClaims({ image_id }))).toStrictEqual(refusal('bad_image_id'));
  });

  it('may list as many images as fit into a token', async () => {
    const image_id = Array.from({ length: 140 }, () => IMAGE_ID);
    const { claims } = await verify(service, withClaims({ image_id }));
    expect(claims.imageIds).toStrictEqual(image_id);
  });

  it.each(['jti', 'session_id'])('are refused with a %s that is not an identifier', async (claim) => {
    for (const value of ['', 1, null, [], {}, 'x'.repeat(256), 'a\0b', 'a\nb', '\ud800']) {
      expect(await responseTo(withClaims({ [claim]: value }))).toStrictEqual(refusal('bad_identifier'));
    }
    await expect(verify(service, withClaims({ [claim]: 'x'.repeat(255) }))).resolves.toBeDefined();
  });
});

describe('uses and addresses of a token', () => {
  const named = { jti: 'a', exp: NOW + 60 };

  it.each<[claims: Readonly<Record<string, unknown>>]>([
    ...[0, -1, 1001, 1.5, '3', null, true, [], {}, 1e400].map((max_uses): [object] => [
      { ...named, max_uses },
    ]),
    // Uses of a token without a name, or without an end, cannot be counted.
    [{ max_uses: 1, exp: NOW + 60 }],
    [{ max_uses: 1, jti: 'a' }],
    [{ max_uses: 1 }],
  ] as [Readonly<Record<string, unknown>>][])('are refused as malformed: %j', async (claims) => {
    expect(await responseTo(withClaims(claims))).toStrictEqual(refusal('bad_max_uses'));
  });

  it.each([1, 1000])('may be %i', async (max_uses) => {
    const { claims } = await verify(service, withClaims({ ...named, max_uses }));
    expect(claims.maxUses).toBe(max_uses);
  });

  it.each<[bindIp: unknown]>([
    ...['', 'localhost', '10.0.0.1:80', '10.0.0.0/33', '*', 'fe80::1%eth0', 1, null, true, {}].map(
      (value): [unknown] => [value],
    ),
    [[]],
    [[null]],
    [['10.0.0.1', '']],
    [[['10.0.0.1']]],
    [Array.from({ length: 65 }, () => '10.0.0.1')],
  ])('are refused as malformed with bind_ip %j', async (bind_ip) => {
    expect(await responseTo(withClaims({ bind_ip }))).toStrictEqual(refusal('bad_bind_ip'));
  });

  it.each<[bindIp: unknown, count: number]>([
    ['10.0.0.1', 1],
    ['2001:db8::/48', 1],
    [Array.from({ length: 64 }, () => '::1'), 64],
  ])('may be %j', async (bind_ip, count) => {
    const { claims } = await verify(service, withClaims({ bind_ip }));
    expect(claims.addresses).toHaveLength(count);
  });
});

describe('forgeries', () => {
  const good = mint();

  it('are refused: a valid token with any byte changed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 }), async (at, byte) => {
        fc.pre(good.charCodeAt(at) !== byte);
        const token = good.slice(0, at) + String.fromCharCode(byte) + good.slice(at + 1);
        await expect(verify(service, token)).rejects.toThrow(InvalidTokenError);
      }),
      { numRuns: 2_000 },
    );
  });

  it('are refused: a valid token with any character replaced by its neighbours', async () => {
    for (let at = 0; at < good.length; at++) {
      for (const by of [-1, 1]) {
        const token = good.slice(0, at) + String.fromCharCode(good.charCodeAt(at) + by) + good.slice(at + 1);
        await expect(verify(service, token)).rejects.toThrow(InvalidTokenError);
      }
    }
  });

  it('are refused: a valid token truncated, extended, spliced or reordered', async () => {
    const position = fc.nat(good.length);
    const forged = fc.oneof(
      position.map((end) => good.slice(0, end)),
      position.map((start) => good.slice(start)),
      fc.tuple(position, position).map(([a, b]) => good.slice(0, a) + good.slice(b)),
      fc
        .tuple(position, fc.string({ minLength: 1 }))
        .map(([at, text]) => good.slice(0, at) + text + good.slice(at)),
      fc.shuffledSubarray(good.split('.'), { minLength: 0 }).map((parts) => parts.join('.')),
    );
    await fc.assert(
      fc.asyncProperty(forged, async (token) => {
        fc.pre(token !== good);
        await expect(verify(service, token)).rejects.toThrow(InvalidTokenError);
      }),
      { numRuns: 2_000 },
    );
  });

  it('are refused: any string, and any three well-formed segments', async () => {
    const part = fc.oneof(
      fc.json(),
      fc.constantFrom('{"alg":"HS256"}', '{"alg":"HS512","kid":"x"}', JSON.stringify(SEED_CLAIMS)),
      fc.string(),
    );
    const segment = part.map((text) => Buffer.from(text).toString('base64url'));
    const segments = fc.tuple(segment, segment, segment).map((all) => all.join('.'));
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string({ unit: 'binary' }), segments), async (token) => {
        await expect(verify(service, token)).rejects.toThrow(InvalidTokenError);
      }),
      { numRuns: 2_000 },
    );
  });

  it('get a response without any part of the token', async () => {
    const canary = 'canary7f3a';
    const tokens = [
      canary,
      `${good}${canary}`,
      mint({ header: { alg: canary } }),
      mint({ header: { alg: 'HS256', crit: [canary] } }),
      mint({ payload: canary }),
      withClaims({ iss: canary }),
      withClaims({ exp: canary }),
      withClaims({ image_id: canary }),
      withClaims({ jti: [canary] }),
    ];
    for (const token of tokens) {
      const answer = JSON.stringify(await responseTo(token));
      expect(answer).not.toContain(canary);
      expect(answer).not.toContain('eyJ');
    }
  });
});

describe('the errors', () => {
  it('describe how to authenticate (RFC 6750 §3)', () => {
    expect(InvalidTokenError.because('expired')).toMatchObject({
      status: 401,
      code: 'invalid_token',
      headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' },
    });
    expect(new TokenRequiredError()).toMatchObject({
      status: 401,
      code: 'token_required',
      headers: { 'WWW-Authenticate': 'Bearer', 'X-message': 'Access denied' },
    });
  });
});
