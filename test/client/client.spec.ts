import { createSecretKey } from 'node:crypto';
import { runInNewContext } from 'node:vm';
import { JwtService } from '@nestjs/jwt';
import { describe, expect, it } from 'vitest';
import * as client from '../../packages/client/src/pixseal-client.js';
import {
  deliveries,
  imageUrl,
  PixsealError,
  type PrivateJwk,
  type PublicKeyAlgorithm,
  readDsn,
  signToken,
  type Step,
  type TokenKey,
  type TokenOptions,
} from '../../packages/client/src/pixseal-client.js';
import { HMAC_ALGORITHMS, PUBLIC_KEY_ALGORITHMS } from '../../src/tokens/signing-key.js';
import { TokenSigner } from '../../src/tokens/token-signer.js';
import { makeKeyPair, PRIVATE_KEYS, publicKeyOf } from '../tokens/public-key-fixtures.js';
import {
  IMAGE_ID,
  makeGate,
  makeIssuer,
  SEED_CLAIMS,
  SEED_HEADER,
  SEED_ISSUER_ID,
  SEED_PAYLOAD,
} from '../tokens/token-fixtures.js';

const SECRET = 'a secret/of:its?own+ü, longer than 32 bytes';
const key = { issuerId: SEED_ISSUER_ID, secret: SECRET };
const bound = { ...key, imageId: IMAGE_ID } satisfies TokenOptions;
const signer = new TokenSigner(new JwtService());

const payloadOf = (token: string): unknown =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());

describe('signToken', () => {
  it('writes the seed’s header and payload byte for byte', async () => {
    const { sharinpix } = SEED_CLAIMS;
    // The seed's steps have unknown keys.
    const transformations = SEED_CLAIMS.transformations as readonly Step[];
    const token = await signToken({ ...key, imageId: 'any', transformations, sharinpix });
    expect(token.split('.').slice(0, 2)).toStrictEqual([SEED_HEADER, SEED_PAYLOAD]);
  });

  it.each(HMAC_ALGORITHMS)('signs with %s like the service’s own signer', async (algorithm) => {
    const token = await signToken({
      ...key,
      algorithm,
      kid: 'k-1',
      sessionId: 's',
      maxUses: 1000,
      bindIp: ['192.0.2.1', '2001:db8::/32'],
      jti: 'j',
      iat: 1,
      nbf: new Date(2_999),
      exp: 4_102_444_800,
      imageId: [IMAGE_ID],
      transformations: [{ overlay: { text: 'Zoë 🙂', text_style: 'Arial_40' } }],
      sharinpix: { download: false },
    });
    const payload = {
      iss: SEED_ISSUER_ID,
      iat: 1,
      nbf: 2,
      exp: 4_102_444_800,
      jti: 'j',
      session_id: 's',
      max_uses: 1000,
      bind_ip: ['192.0.2.1', '2001:db8::/32'],
      image_id: [IMAGE_ID],
      transformations: [{ overlay: { text: 'Zoë 🙂', text_style: 'Arial_40' } }],
      sharinpix: { download: false },
    };
    const secret = createSecretKey(Buffer.from(SECRET));
    expect(token).toBe(signer.sign(payload, { id: 'k-1', algorithm, secret }));
  });

  it.each<[what: string, imageId: TokenOptions['imageId'], claim: object]>([
    ['one image', IMAGE_ID, { image_id: IMAGE_ID }],
    ['a list of images', [IMAGE_ID, IMAGE_ID], { image_id: [IMAGE_ID, IMAGE_ID] }],
    ['any image', 'any', {}],
  ])('is for %s', async (_, imageId, claim) => {
    expect(payloadOf(await signToken({ ...key, imageId }))).toStrictEqual({ iss: SEED_ISSUER_ID, ...claim });
  });

  it('accepts a dsn’s parts with the service’s address', async () => {
    const dsn = readDsn(`https://${SEED_ISSUER_ID}:${encodeURIComponent(SECRET)}@img.example.com/?kid=k-1`);
    const secret = createSecretKey(Buffer.from(SECRET));
    const payload = { iss: SEED_ISSUER_ID, image_id: IMAGE_ID };
    expect(await signToken({ ...dsn, imageId: IMAGE_ID })).toBe(
      signer.sign(payload, { id: 'k-1', algorithm: 'HS256', secret }),
    );
  });

  it('accepts a Date of another realm', async () => {
    const exp = runInNewContext('new Date(5999)') as Date;
    expect(payloadOf(await signToken({ ...bound, exp }))).toMatchObject({ exp: 5 });
  });

  const IMAGES = "the image’s id, a list of ids, or 'any' for all images of the issuer";
  const TIME = 'a Date, or a number of seconds since 1970';
  const ALL =
    'issuerId, secret, privateKey, imageId, algorithm, kid, transformations, exp, nbf, iat, aud, jti, sessionId, maxUses, bindIp, sharinpix, baseUrl';

  it.each<[options: unknown, message: string]>([
    // Without an image: values that JSON would drop.
    [key, `\`imageId\` is missing. Pass ${IMAGES}.`],
    [{ ...key, imageId: undefined }, `\`imageId\` is undefined. Pass ${IMAGES}.`],
    [{ ...key, imageId: null }, `\`imageId\` is null. Pass ${IMAGES}.`],
    ...['', [], [''], [undefined], [IMAGE_ID, null], 5, {}].map((imageId): [unknown, string] => [
      { ...key, imageId },
      `\`imageId\` must be ${IMAGES}.`,
    ]),
    // Every other option without a value.
    ...(['exp', 'nbf', 'iat'] as const).flatMap((name): [unknown, string][] => [
      [{ ...bound, [name]: undefined }, `\`${name}\` is undefined. Pass ${TIME}, or omit the option.`],
      [{ ...bound, [name]: null }, `\`${name}\` is null. Pass ${TIME}, or omit the option.`],
      [{ ...bound, [name]: '1h' }, `\`${name}\` must be ${TIME}.`],
      [{ ...bound, [name]: '1900000000' }, `\`${name}\` must be ${TIME}.`],
      [{ ...bound, [name]: true }, `\`${name}\` must be ${TIME}.`],
      [{ ...bound, [name]: {} }, `\`${name}\` must be ${TIME}.`],
    ]),
    ...[0, 1001, 1.5, '5', NaN].map((maxUses): [unknown, string] => [
      { ...bound, jti: 'j', exp: 5, maxUses },
      '`maxUses` must be a whole number from 1 to 1000.',
    ]),
    [{ ...bound, exp: 5, maxUses: 1 }, '`maxUses` needs `jti` and `exp`.'],
    [{ ...bound, jti: 'j', maxUses: 1 }, '`maxUses` needs `jti` and `exp`.'],
    ...['', [], ['192.0.2.1', ''], Array<string>(65).fill('192.0.2.1'), 5].map(
      (bindIp): [unknown, string] => [
        { ...bound, bindIp },
        '`bindIp` must be an IP address or subnet, or a list of 1 to 64.',
      ],
    ),
    [{ ...bound, issuerId: undefined }, '`issuerId` is undefined. Pass the id of the issuer.'],
    [{ secret: SECRET, imageId: 'any' }, '`issuerId` is missing. Pass the id of the issuer.'],
    [{ ...bound, issuerId: 5 }, '`issuerId` must be the id of the issuer.'],
    [
      { ...bound, secret: undefined },
      '`secret` is undefined. Pass the secret of a key of the issuer, as text.',
    ],
    [{ ...bound, secret: '' }, '`secret` must be the secret of a key of the issuer, as text.'],
    [
      { ...bound, secret: Buffer.from(SECRET) },
      '`secret` must be the secret of a key of the issuer, as text.',
    ],
    [
      { ...bound, algorithm: undefined },
      '`algorithm` is undefined. Pass HS256, HS384 or HS512 for a secret, EdDSA, ES256, RS256 or PS256 for a private key, or omit the option.',
    ],
    [{ ...bound, algorithm: 'RS256' }, '`algorithm` must be HS256, HS384 or HS512 for a `secret`.'],
    [
      { ...bound, algorithm: 'none' },
      '`algorithm` must be HS256, HS384 or HS512 for a secret, EdDSA, ES256, RS256 or PS256 for a private key.',
    ],
    [{ ...bound, kid: null }, '`kid` is null. Pass the id of the key, or omit the option.'],
    [{ ...bound, jti: 7 }, '`jti` must be text of 1 to 255 characters.'],
    [{ ...bound, jti: 'x'.repeat(256) }, '`jti` must be text of 1 to 255 characters.'],
    [
      { ...bound, sessionId: undefined },
      '`sessionId` is undefined. Pass text of 1 to 255 characters, or omit the option.',
    ],
    [
      { ...bound, transformations: { width: 5 } },
      '`transformations` must be an array of steps, each an object.',
    ],
    [
      { ...bound, transformations: [undefined] },
      '`transformations` must be an array of steps, each an object.',
    ],
    ...[true, { download: 'false' }, { original: undefined }].map((sharinpix): [unknown, string] => [
      { ...bound, sharinpix },
      '`sharinpix` must be an object, whose `download` and `original` are true or false.',
    ]),
    // Unknown names.
    [
      { ...key, image_id: IMAGE_ID },
      `\`image_id\` is not an option. Did you mean \`imageId\`? It takes ${IMAGES}.`,
    ],
    [
      { ...bound, expiresIn: '1h' },
      `\`expiresIn\` is not an option. Did you mean \`exp\`? It takes ${TIME}.`,
    ],
    [
      { ...bound, transformation: [] },
      '`transformation` is not an option. Did you mean `transformations`? It takes an array of steps, each an object.',
    ],
    [
      { ...bound, session_id: 's' },
      '`session_id` is not an option. Did you mean `sessionId`? It takes text of 1 to 255 characters.',
    ],
    [{ ...bound, width: 5 }, `\`width\` is not an option. The options are ${ALL}.`],
    [{ ...bound, constructor: 5 }, `\`constructor\` is not an option. The options are ${ALL}.`],
    ...[undefined, null, 'x', [bound]].map((none): [unknown, string] => [none, 'pass an object of options.']),
  ])('refuses %j', async (options, message) => {
    const thrown: unknown = await signToken(options as TokenOptions).catch((error: unknown) => error);
    expect(thrown).toStrictEqual(new TypeError(`signToken: ${message}`));
    expect(String(thrown)).not.toContain(SECRET);
  });

  it.each(['imageid', 'ImageId', 'imageIds', 'imgeId', 'imaegId', 'image-id', 'id', 'image'])(
    'names imageId for %s',
    async (name) => {
      await expect(signToken({ ...key, [name]: IMAGE_ID } as never)).rejects.toThrow(
        `\`${name}\` is not an option. Did you mean \`imageId\`?`,
      );
    },
  );

  const loop: Record<string, unknown> = {};
  loop['overlay'] = { loop };
  class Overlay {
    readonly text = 'Hi';
  }
  const sparse = ['sepia', 80];
  sparse.length = 3;

  it.each<[step: unknown, place: string, what: string]>([
    [{ overlay: undefined, flags: 'tiled' }, ', `overlay`', 'undefined'],
    [{ overlay: () => IMAGE_ID }, ', `overlay`', 'a function'],
    [{ overlay: Symbol('x') }, ', `overlay`', 'a symbol'],
    [{ overlay: 5n }, ', `overlay`', 'a bigint'],
    [{ width: NaN }, ', `width`', 'NaN'],
    [{ width: Infinity }, ', `width`', 'Infinity'],
    [{ height: -Infinity }, ', `height`', '-Infinity'],
    [{ overlay: new Map([['text', 'Hi']]) }, ', `overlay`', 'an instance of a class'],
    [{ flags: new Set(['tiled']) }, ', `flags`', 'an instance of a class'],
    [{ overlay: new Overlay() }, ', `overlay`', 'an instance of a class'],
    [{ overlay: new Date(0) }, ', `overlay`', 'an instance of a class'],
    [{ overlay: new String(IMAGE_ID) }, ', `overlay`', 'an instance of a class'],
    [{ overlay: { text: undefined, text_style: 'Arial_40' } }, ', `overlay.text`', 'undefined'],
    [{ underlay: { text: 'Hi', font_size: NaN } }, ', `underlay.font_size`', 'NaN'],
    [{ border: { width: 4, color: undefined } }, ', `border.color`', 'undefined'],
    [{ effect: ['sepia', undefined] }, ', `effect[1]`', 'undefined'],
    [{ effect: sparse }, ', `effect[2]`', 'undefined'],
    [{ flags: [undefined] }, ', `flags[0]`', 'undefined'],
    [{ toJSON: () => ({}) }, ', `toJSON`', 'a function'],
    [{ [Symbol('width')]: 5 }, '', 'an object with a symbol as a key'],
    [new Map([['width', 5]]), '', 'an instance of a class'],
    [
      loop,
      ', `overlay.loop.overlay.loop.overlay.loop.overlay.loop.overlay.loop.overlay.loop.overlay.loop`',
      'nested too deep',
    ],
  ])('refuses a step that JSON would alter: %o', async (step, place, what) => {
    const transformations = [{ width: 400 }, step] as readonly Step[];
    await expect(signToken({ ...bound, transformations })).rejects.toThrow(
      new TypeError(
        `signToken: step 2${place} is ${what}. Pass text, a finite number, true, false, null, an array or a plain object, or omit the key.`,
      ),
    );
  });

  it.each([
    { filename: undefined },
    { full_size: () => true },
    { download: false, a: { b: [NaN] } },
    new (class {
      readonly download = false;
    })(),
  ])('refuses a `sharinpix` that JSON would alter: %o', async (sharinpix) => {
    await expect(signToken({ ...bound, sharinpix })).rejects.toThrow(
      /^signToken: `sharinpix[\w.[\]]*` is .*\. Pass text, /,
    );
  });

  it('signs a step of another realm, and one without a prototype', async () => {
    const step = runInNewContext('({ overlay: { text: "Hi", text_style: "a_9" } })') as Step;
    const bare = Object.assign(Object.create(null) as object, { width: 5, height: null });
    expect(
      payloadOf(await signToken({ ...bound, transformations: [step, bare as unknown as Step] })),
    ).toMatchObject({
      transformations: [step, { width: 5, height: null }],
    });
  });

  it('refuses every option that is undefined or null with an error of its own', async () => {
    const options = ['algorithm', 'kid', 'transformations', 'imageId', 'exp', 'nbf', 'iat', 'jti'];
    for (const name of [
      ...options,
      'sessionId',
      'maxUses',
      'bindIp',
      'sharinpix',
      'issuerId',
      'secret',
      'baseUrl',
    ]) {
      for (const value of [undefined, null]) {
        await expect(signToken({ ...bound, [name]: value }), name).rejects.toThrow(
          new RegExp(`^signToken: \`${name}\` is ${String(value)}\\. Pass `),
        );
      }
    }
  });

  it.each([
    ['milliseconds', 1_900_000_000_000],
    ['a negative time', -1],
    ['no number', Number.NaN],
    ['a date that is none', new Date('x')],
  ])('refuses %s as an exp', async (_, exp) => {
    await expect(signToken({ ...bound, exp })).rejects.toThrow(
      new RangeError('signToken: `exp` must be a Date, or seconds (not milliseconds) since 1970.'),
    );
  });

  it('refuses a token that the service would not read', async () => {
    const transformations = [{ overlay: { text: 'x'.repeat(6_000), text_style: 'Arial_40' } }];
    await expect(signToken({ ...bound, transformations })).rejects.toThrow(
      /^signToken: the token has 8\d{3} characters/,
    );
  });
});

/** Without types, as in JavaScript. */
const sealAsBefore = (client as { sealToken: unknown }).sealToken as (seal: object) => Promise<string>;

describe('sealToken, the old name', () => {
  it('signs without imageId, as before', async () => {
    expect(await sealAsBefore(key)).toBe(await signToken({ ...key, imageId: 'any' }));
    expect(await sealAsBefore(bound)).toBe(await signToken(bound));
  });

  it.each([
    { imageId: undefined },
    { imageId: null },
    { imageId: IMAGE_ID, exp: undefined },
    { image_id: IMAGE_ID },
    { expiresIn: '1h' },
  ])('refuses %j, like the new one', async (options) => {
    await expect(sealAsBefore({ ...key, ...options })).rejects.toThrow(TypeError);
  });
});

describe('imageUrl', () => {
  it.each([
    [
      { baseUrl: 'https://img.example.com', imageId: IMAGE_ID, token: 'a.b.c' },
      `https://img.example.com/images/${IMAGE_ID}?token=a.b.c`,
    ],
    [
      { baseUrl: 'https://example.com/img/', imageId: IMAGE_ID },
      `https://example.com/img/images/${IMAGE_ID}`,
    ],
    [
      { baseUrl: 'http://[::1]:3000//', imageId: 'a/b?c', token: 'a&b' },
      'http://[::1]:3000/images/a%2Fb%3Fc?token=a%26b',
    ],
  ])('of %j', (parts, url) => {
    expect(imageUrl(parts)).toBe(url);
  });

  it.each<[change: object, message: string]>([
    [{ imageId: undefined }, '`imageId` is undefined. Pass the image’s id.'],
    [{ imageId: null }, '`imageId` is null. Pass the image’s id.'],
    [{ imageId: '' }, '`imageId` is empty. Pass the image’s id.'],
    [{ imageId: 5 }, '`imageId` is not text. Pass the image’s id.'],
    [{ token: undefined }, '`token` is undefined. Pass a token, or omit it for a public image.'],
    [{ token: null }, '`token` is null. Pass a token, or omit it for a public image.'],
    [{ token: '' }, '`token` is empty. Pass a token, or omit it for a public image.'],
  ])('refuses %j', (change, message) => {
    const parts = { baseUrl: 'https://img.example.com', imageId: IMAGE_ID, token: 'a.b.c', ...change };
    expect(() => imageUrl(parts as never)).toThrow(new TypeError(`imageUrl: ${message}`));
  });
});

describe('a base URL', () => {
  it.each([
    undefined,
    null,
    '',
    'img.example.com',
    '//img.example.com',
    '/images',
    'ftp://img.example.com',
    'https://',
    'https:/img.example.com',
    'https://img.example.com?x',
    'https://img.example.com/#x',
    'https://img. example.com',
    `https://${SEED_ISSUER_ID}:${encodeURIComponent(SECRET)}@img.example.com/`,
    new URL('https://img.example.com'),
  ])('that is %s is refused, and not repeated', async (baseUrl) => {
    const refusal = (caller: string): TypeError =>
      new TypeError(
        `${caller}: \`baseUrl\` must be the absolute URL of the service, such as https://img.example.com.`,
      );
    expect(() => imageUrl({ baseUrl, imageId: IMAGE_ID } as never)).toThrow(refusal('imageUrl'));
    await expect(deliveries({ baseUrl, items: [] } as never)).rejects.toThrow(refusal('deliveries'));
  });
});

describe('readDsn', () => {
  it('reads the admin API’s dsn', () => {
    const dsn = new URL('https://img.example.com:8443');
    dsn.username = SEED_ISSUER_ID;
    dsn.password = encodeURIComponent("s/:?#@ +%41'");
    dsn.searchParams.set('kid', IMAGE_ID);
    expect(readDsn(dsn.href)).toStrictEqual({
      issuerId: SEED_ISSUER_ID,
      secret: "s/:?#@ +%41'",
      kid: IMAGE_ID,
      baseUrl: 'https://img.example.com:8443',
    });
  });

  it.each([
    '',
    'https://img.example.com',
    'https://only-issuer@img.example.com/',
    'postgres://a:b@c/',
    'https://a:b%zz@h/',
  ])('refuses %j, and does not repeat it', (dsn) => {
    expect(() => readDsn(dsn)).toThrow(
      new TypeError('Not a valid DSN. Expected https://<issuer id>:<secret>@<host>/?kid=<key id>'),
    );
  });
});

describe('deliveries', () => {
  const ask = (status: number, json: () => Promise<unknown>): Promise<unknown> =>
    deliveries({
      baseUrl: 'https://img.example.com',
      items: [{}],
      fetch: () => Promise.resolve({ status, json }),
    });

  it('throws the problem of a refused request', async () => {
    const problem = { code: 'too_many_requests', detail: 'Later.' };
    const thrown = await ask(429, () => Promise.resolve(problem)).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(PixsealError);
    expect(thrown).toMatchObject({ message: 'too_many_requests: Later.', status: 429, problem });
  });

  it.each<[string, number, () => Promise<unknown>]>([
    ['no JSON', 502, () => Promise.reject(new SyntaxError('<html>'))],
    ['no JSON, of another realm', 200, () => Promise.reject(runInNewContext('new SyntaxError()') as Error)],
    ['JSON of something else', 200, () => Promise.resolve(['hello'])],
    ['a result too few', 200, () => Promise.resolve({ deliveries: [] })],
    ['a result too many', 200, () => Promise.resolve({ deliveries: [{ image_id: 'i' }, { image_id: 'i' }] })],
  ])('throws the status if the response is %s', async (_, status, json) => {
    await expect(ask(status, json)).rejects.toMatchObject({ status, problem: null });
  });

  it.each([
    ['an abort', new DOMException('This operation was aborted', 'AbortError')],
    ['a connection that is cut', new TypeError('terminated')],
  ])('throws %s of fetch while the response is read', async (_, error) => {
    await expect(ask(200, () => Promise.reject(error))).rejects.toBe(error);
  });

  it.each([undefined, null, {}, 'x'])('refuses %j as items', async (items) => {
    await expect(deliveries({ baseUrl: 'http://127.0.0.1:9', items } as never)).rejects.toThrow(
      new TypeError('deliveries: `items` must be an array.'),
    );
  });

  it('sends no request without items', async () => {
    await expect(deliveries({ baseUrl: 'http://127.0.0.1:9', items: [] })).resolves.toStrictEqual([]);
  });
});

describe('signToken with a private key', () => {
  const options = { issuerId: SEED_ISSUER_ID, imageId: IMAGE_ID, kid: 'k-1' };
  const payload = { iss: SEED_ISSUER_ID, image_id: IMAGE_ID };
  const pemOf = (algorithm: PublicKeyAlgorithm): string =>
    PRIVATE_KEYS[algorithm].export({ type: 'pkcs8', format: 'pem' }).toString();
  const jwkOf = (algorithm: PublicKeyAlgorithm): PrivateJwk => ({
    ...(PRIVATE_KEYS[algorithm].export({ format: 'jwk' }) as PrivateJwk),
  });
  const PARAMETERS = {
    EdDSA: { name: 'Ed25519' },
    ES256: { name: 'ECDSA', namedCurve: 'P-256' },
    RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
    PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
  } as const;

  it.each(PUBLIC_KEY_ALGORITHMS)('signs %s with PEM, a JWK and a CryptoKey', async (algorithm) => {
    const pem = pemOf(algorithm);
    const pkcs8 = PRIVATE_KEYS[algorithm].export({ type: 'pkcs8', format: 'der' });
    const cryptoKey = await crypto.subtle.importKey('pkcs8', pkcs8, PARAMETERS[algorithm], false, ['sign']);
    const jwk = jwkOf(algorithm);
    const keys: readonly [key: TokenKey['privateKey'], algorithm?: PublicKeyAlgorithm][] = [
      [pem, algorithm],
      [`\n${pem.replaceAll('\n', '\r\n')}\n`, algorithm],
      [jwk, algorithm],
      [{ ...jwk, alg: algorithm, use: 'sig', key_ops: ['sign'], ext: false }],
      [cryptoKey],
      [cryptoKey, algorithm],
      ...(algorithm === 'PS256' ? [] : [[jwk] as [PrivateJwk]]),
    ];
    const verify = makeGate(
      makeIssuer({ keys: [], publicKeys: [publicKeyOf(makeKeyPair(algorithm, 'k-1'))] }),
    );
    for (const [privateKey, named] of keys) {
      const token = await signToken({
        ...options,
        privateKey,
        ...(named === undefined ? {} : { algorithm: named }),
      } as TokenOptions);
      expect(verify(token).claims.payload).toStrictEqual(payload);
      const [header = ''] = token.split('.');
      expect(Buffer.from(header, 'base64url').toString()).toBe(
        `{"typ":"JWT","alg":"${algorithm}","kid":"k-1"}`,
      );
    }
  });

  it('writes the audience', async () => {
    const token = await signToken({ ...options, aud: 'images', privateKey: jwkOf('EdDSA') });
    expect(payloadOf(token)).toStrictEqual({ iss: SEED_ISSUER_ID, aud: 'images', image_id: IMAGE_ID });
  });

  const fitting = 'Pass PKCS #8 in PEM, a JWK or a CryptoKey.';
  const privateKey = pemOf('EdDSA');
  it.each<[what: string, options: object, message: string]>([
    ['a secret too', { privateKey, secret: SECRET }, 'pass `secret` or `privateKey`, not both.'],
    ['no kid', { privateKey, kid: undefined }, '`kid` is undefined. Pass the id of the key.'],
    [
      'PEM and no algorithm',
      { privateKey },
      '`algorithm` is missing. Pass EdDSA, ES256, RS256 or PS256 for this `privateKey`.',
    ],
    [
      'HS256',
      { privateKey, algorithm: 'HS256' },
      '`algorithm` must be EdDSA, ES256, RS256 or PS256 for a `privateKey`.',
    ],
    [
      'another algorithm',
      { privateKey, algorithm: 'ES256' },
      `\`privateKey\` is not a private key of ES256. ${fitting}`,
    ],
    [
      'a public key',
      { privateKey: makeKeyPair('EdDSA').pem, algorithm: 'EdDSA' },
      `\`privateKey\` is not a private key of EdDSA. ${fitting}`,
    ],
    [
      'a public JWK',
      { privateKey: makeKeyPair('ES256').publicKey.export({ format: 'jwk' }) },
      `\`privateKey\` is not a private key of ES256. ${fitting}`,
    ],
    [
      'text',
      { privateKey: 'key', algorithm: 'EdDSA' },
      `\`privateKey\` is not a private key of EdDSA. ${fitting}`,
    ],
    [
      'a number',
      { privateKey: 5 },
      '`privateKey` must be a private key: PKCS #8 in PEM, a JWK or a CryptoKey.',
    ],
    [
      'null',
      { privateKey: null },
      '`privateKey` is null. Pass a private key: PKCS #8 in PEM, a JWK or a CryptoKey.',
    ],
  ])('refuses %s', async (_, change, message) => {
    const thrown: unknown = await signToken({ ...options, ...change } as TokenOptions).catch(
      (error: unknown) => error,
    );
    expect(thrown).toStrictEqual(new TypeError(`signToken: ${message}`));
  });

  it('refuses an algorithm of a private key for a secret', async () => {
    await expect(signToken({ ...bound, algorithm: 'EdDSA' } as never)).rejects.toThrow(
      new TypeError('signToken: `algorithm` must be HS256, HS384 or HS512 for a `secret`.'),
    );
  });
});
