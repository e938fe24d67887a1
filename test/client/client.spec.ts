import { createSecretKey } from 'node:crypto';
import { runInNewContext } from 'node:vm';
import { JwtService } from '@nestjs/jwt';
import { describe, expect, it } from 'vitest';
import {
  deliveries,
  imageUrl,
  PixsealError,
  readDsn,
  sealToken,
  type Seal,
  type Step,
} from '../../src/client/pixseal-client.js';
import { HMAC_ALGORITHMS } from '../../src/tokens/signing-key.js';
import { TokenSealer } from '../../src/tokens/token-sealer.js';
import {
  IMAGE_ID,
  SEED_CLAIMS,
  SEED_HEADER,
  SEED_ISSUER_ID,
  SEED_PAYLOAD,
} from '../tokens/token-fixtures.js';

const SECRET = 'a secret/of:its?own+ü, longer than 32 bytes';
const seal = { issuerId: SEED_ISSUER_ID, secret: SECRET } satisfies Seal;
const sealer = new TokenSealer(new JwtService());

describe('sealToken', () => {
  it('writes the seed’s header and payload byte for byte', async () => {
    const { sharinpix } = SEED_CLAIMS;
    // The seed's steps have keys that are in no vocabulary.
    const transformations = SEED_CLAIMS.transformations as readonly Step[];
    const token = await sealToken({ ...seal, transformations, sharinpix });
    expect(token.split('.').slice(0, 2)).toStrictEqual([SEED_HEADER, SEED_PAYLOAD]);
  });

  it.each(HMAC_ALGORITHMS)('seals with %s as the service’s own sealer does', async (algorithm) => {
    const token = await sealToken({
      ...seal,
      algorithm,
      kid: 'k-1',
      sessionId: 's',
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
      image_id: [IMAGE_ID],
      transformations: [{ overlay: { text: 'Zoë 🙂', text_style: 'Arial_40' } }],
      sharinpix: { download: false },
    };
    const key = { id: 'k-1', algorithm, secret: createSecretKey(Buffer.from(SECRET)) };
    expect(token).toBe(sealer.seal(payload, key));
  });

  it('says nothing that was not asked for', async () => {
    const [, payload = ''] = (await sealToken(seal)).split('.');
    expect(Buffer.from(payload, 'base64url').toString()).toBe(`{"iss":"${SEED_ISSUER_ID}"}`);
  });

  it.each([
    ['milliseconds', 1_900_000_000_000],
    ['a negative time', -1],
    ['no number', Number.NaN],
    ['a date that is none', new Date('x')],
    ['a duration', '1h'],
    ['a number as text', '1900000000'],
    ['null', null],
  ])('refuses %s as an exp', async (_, exp) => {
    await expect(sealToken({ ...seal, exp: exp as Date })).rejects.toThrow(
      new RangeError('exp must be a Date, or seconds since 1970.'),
    );
  });

  it('refuses a token that the service would not read', async () => {
    const transformations = [{ overlay: { text: 'x'.repeat(6_000), text_style: 'Arial_40' } }];
    await expect(sealToken({ ...seal, transformations })).rejects.toThrow(/^The token has 8\d{3} characters/);
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
      { baseUrl: 'https://example.com', imageId: 'a/b?c', token: 'a&b' },
      'https://example.com/images/a%2Fb%3Fc?token=a%26b',
    ],
  ])('of %j', (parts, url) => {
    expect(imageUrl(parts)).toBe(url);
  });
});

describe('readDsn', () => {
  it('reads what the admin API gives', () => {
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
      new TypeError('This is no dsn of an issuer’s key: https://<issuer id>:<secret>@<host>/?kid=<key id>'),
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

  it('throws the problem of a request that is refused as a whole', async () => {
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
  ])('throws the status where the answer is %s', async (_, status, json) => {
    await expect(ask(status, json)).rejects.toMatchObject({ status, problem: null });
  });

  it.each([
    ['an abort', new DOMException('This operation was aborted', 'AbortError')],
    ['a connection that is cut', new TypeError('terminated')],
  ])('throws %s while the answer is read, as fetch does', async (_, error) => {
    await expect(ask(200, () => Promise.reject(error))).rejects.toBe(error);
  });

  it('asks nothing for no items', async () => {
    await expect(deliveries({ baseUrl: 'http://127.0.0.1:9', items: [] })).resolves.toStrictEqual([]);
  });
});
