import { type ConfigAndUrlOptions, v2 as cloudinary } from 'cloudinary';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CloudinaryUrlService } from '../../src/cloudinary/cloudinary-url.service.js';
import { UrlTooLongError } from '../../src/cloudinary/cloudinary-url.errors.js';
import { findPublicIdFault } from '../../src/transformations/public-id.js';
import { UrlVerifier } from '../../src/cloudinary/url-verifier.js';
import type { Account } from '../../src/domain/account.js';
import { readEnvironment } from '../../src/platform/config/environment.js';
import { readDefaultPolicy } from '../../src/policy/recommended-policy.js';
import { DELIVERY_TYPES } from '../../src/domain/image.js';
import { pathOf } from '../../src/transformations/component.js';
import { TransformationMapper } from '../../src/transformations/transformation.mapper.js';
import { makeAccount } from '../support/account.js';
import { TEST_VARIABLES } from '../support/service.js';
import { acceptedSteps } from '../support/steps.arbitrary.js';

const publicId = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 30 }),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
    fc
      .array(fc.stringMatching(/^[\w !'()*,.:;=@~-]{1,12}$/), { minLength: 1, maxLength: 4 })
      .map((parts) => parts.join('/')),
  )
  .filter((id) => findPublicIdFault(id) === null);
const asset = fc.record({
  deliveryType: fc.constantFrom(...DELIVERY_TYPES),
  publicId,
  version: fc.integer({ min: 1, max: 4_000_000_000 }),
  format: fc.constantFrom('jpg', 'png', 'webp', 'avif'),
});

const overlayId = '3d616b4e-a597-4b23-aa3d-d7de678f0ba6';
const overlays = new Map([[overlayId, { publicId: 'brand/märk one', deliveryType: 'private' as const }]]);
const mapper = new TransformationMapper();
/** Chains that tokens lead to: a fixed number, since generating one costs more than signing it. */
const chains = fc
  .sample(acceptedSteps({ overlayIds: [overlayId] }), 2_000)
  .map((steps) => ['c_fit,h_1920,w_1920', 'fl_attachment', ...mapper.map(steps).components(overlays)]);
const chain = fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...chains) }, fc.constant([]));

const SAMPLE = { deliveryType: 'upload', publicId: 'sample', version: 1, format: 'jpg' } as const;

type SignedAsset = Parameters<CloudinaryUrlService['signUrl']>[1];

const urls = new CloudinaryUrlService();

/** How the environment describes an account. */
interface AccountVariables {
  readonly CLOUDINARY_URL: string;
  readonly CLOUDINARY_AUTH_TOKEN_KEY: string;
  readonly CLOUDINARY_AUTH_TOKEN_DURATION: string;
  readonly CLOUDINARY_AUTH_TOKEN_ROUND: string;
  readonly CLOUDINARY_AUTH_TOKEN_SIGNATURE: string;
}

const option = (name: string, values: readonly string[]): fc.Arbitrary<string> =>
  fc.option(
    fc.constantFrom(...values).map((value) => `${name}=${encodeURIComponent(value)}`),
    { nil: '' },
  );
const accountVariables: fc.Arbitrary<AccountVariables> = fc.record({
  CLOUDINARY_URL: fc
    .tuple(
      fc.stringMatching(/^[\w-]{1,30}$/),
      fc.constantFrom('demo', 'my-shop', 'Shop_2', '0'),
      option('private_cdn', ['true']),
      option('secure_distribution', ['img.example.com', 'a.b-c.xn--p1ai', 'res.cloudinary.com']),
      option('secure', ['true']),
      option('upload_prefix', ['https://api-eu.cloudinary.com', 'http://127.0.0.1:8080']),
      option('signature_algorithm', ['sha1', 'sha256']),
      option('long_url_signature', ['true']),
    )
    .map(
      ([secret, cloud, ...options]) =>
        `cloudinary://123:${secret}@${cloud}?${options.filter((each) => each !== '').join('&')}`,
    ),
  CLOUDINARY_AUTH_TOKEN_KEY: fc.constantFrom('', '00112233445566778899aabbccddeeff'),
  CLOUDINARY_AUTH_TOKEN_DURATION: fc.constantFrom('', '1', '300', '86400'),
  CLOUDINARY_AUTH_TOKEN_ROUND: fc.constantFrom('', '0', '1', '7', '3600'),
  CLOUDINARY_AUTH_TOKEN_SIGNATURE: fc.constantFrom('', 'on', 'off'),
});

/** An account as Pixseal and as the SDK read it from the same `CLOUDINARY_URL`. */
interface ReadAccount {
  readonly account: Account;
  readonly sdk: ConfigAndUrlOptions;
  readonly variables: AccountVariables;
}

function readAccount(variables: AccountVariables): ReadAccount {
  const { cloudinary: account } = readEnvironment(
    { ...TEST_VARIABLES, DATABASE_URL: 'postgres://127.0.0.1/x', ...variables },
    () => {
      throw new Error('no embedded secrets are wanted');
    },
    readDefaultPolicy,
  );
  vi.stubEnv('CLOUDINARY_URL', variables.CLOUDINARY_URL);
  const sdk = { ...cloudinary.config(true) };
  vi.unstubAllEnvs();
  cloudinary.config(true);
  return { account, sdk, variables };
}

/** The URL by the SDK: signature and token, or both where the account has both. */
function bySdk(
  { publicId: id, deliveryType, version, format }: SignedAsset,
  components: readonly string[],
  { sdk, variables }: ReadAccount,
  period: { readonly start: number | null; readonly expiration: number },
): string {
  const { CLOUDINARY_AUTH_TOKEN_KEY: key, CLOUDINARY_AUTH_TOKEN_SIGNATURE: both } = variables;
  const { start, expiration } = period;
  const authToken = { key, expiration, ...(start === null ? {} : { start_time: start }) };
  const signed = (token: object | false): string =>
    cloudinary.url(id, {
      ...sdk,
      raw_transformation: components.join('/'),
      resource_type: 'image',
      type: deliveryType,
      version: String(version),
      format,
      sign_url: true,
      force_version: false,
      urlAnalytics: false,
      auth_token: token as false,
    });
  if (key === '') return signed(false);
  if (both !== 'on') return signed(authToken);
  const url = signed(false);
  const acl = null as unknown as string;
  const token = cloudinary.utils.generate_auth_token({ ...authToken, url: new URL(url).pathname, acl });
  return `${url}?${token}`;
}

/** When the URL of a token expires, by the settings' description. */
function expirationOf(expiresAt: number | null, { variables }: ReadAccount, now: number): number {
  // The leeway, and time to load the image.
  if (expiresAt !== null) return Math.floor(expiresAt) + 60;
  const { CLOUDINARY_AUTH_TOKEN_DURATION: duration, CLOUDINARY_AUTH_TOKEN_ROUND: round } = variables;
  const end = now + 1000 * Number(duration || 3600);
  const step = 1000 * Number(round || 300);
  return step === 0 ? Math.floor(end / 1000) : (end + ((step - (end % step)) % step)) / 1000;
}

const seconds = fc.oneof(
  fc.integer({ min: 1_700_000_000, max: 2_000_000_000 }),
  fc.integer({ min: 1_700_000_000, max: 2_000_000_000 }).map((second) => second + 0.75),
);
const times = fc.record({
  expiresAt: fc.option(seconds),
  notBefore: fc.option(fc.oneof(seconds, fc.nat(40))),
});

describe('a signed URL', () => {
  it('equals the SDK’s for 10,000 accounts, in 100,000 cases', () => {
    const accounts = fc.sample(accountVariables, 10_000).map(readAccount);
    const seen = new Set<string>();
    fc.assert(
      fc.property(
        asset,
        chain,
        fc.constantFrom(...accounts),
        fc.option(times),
        fc.integer({ min: 1_700_000_000_000, max: 2_000_000_000_000 }),
        (signed, components, read, claims, now) => {
          const { account } = read;
          const { expiresAt, notBefore } = claims ?? { expiresAt: null, notBefore: null };
          const start = notBefore === null ? null : Math.max(0, Math.floor(notBefore) - 30);
          const expiration = expirationOf(expiresAt, read, now);
          const expected = bySdk(signed, components, read, { start, expiration });
          const sign = (): string => urls.signUrl(account, signed, pathOf(components), claims, now);
          if (expected.length > 4_096) expect(sign).toThrow(UrlTooLongError);
          else expect(sign()).toBe(expected);
          const { privateCdn, host, signature, authToken } = account;
          seen.add(
            [privateCdn, host === null, signature, authToken === null, authToken?.withSignature].join(' '),
          );
        },
      ),
      { numRuns: 100_000 },
    );
    // Private CDN or not, a host or none, three signatures; a signature, a token, or both.
    expect(seen.size).toBe(2 * 2 * 3 * 3);
  });

  it('is of the account that the SDK reads from CLOUDINARY_URL: its key, secret and API', () => {
    for (const { account, sdk } of fc.sample(accountVariables, 1_000).map(readAccount)) {
      const options: Readonly<Record<string, unknown>> = sdk;
      expect(account).toMatchObject({
        cloudName: options['cloud_name'],
        apiKey: options['api_key'],
        apiSecret: options['api_secret'],
        privateCdn: options['private_cdn'] === 'true',
        host: options['secure_distribution'] ?? null,
        uploadPrefix: options['upload_prefix'] ?? 'https://api.cloudinary.com',
      });
    }
  });

  it.each([
    [false, null, 'https://res.cloudinary.com/demo'],
    [false, 'img.example.com', 'https://img.example.com/demo'],
    [true, null, 'https://demo-res.cloudinary.com'],
    [true, 'img.example.com', 'https://img.example.com'],
  ])('with a private CDN: %s, and the host %s starts with %s', (privateCdn, host, base) => {
    const account = makeAccount({ apiSecret: 'b', privateCdn, host });
    expect(urls.signUrl(account, SAMPLE, '', null)).toBe(`${base}/image/upload/s--v2fTPYTu--/v1/sample.jpg`);
  });

  it.each([
    ['sha1', 'v2fTPYTu'],
    ['sha256', '2hbrSMPO'],
    ['long', '2hbrSMPOjj5BJ4xV7SgFbRDevFaQNUFf'],
  ] as const)('has the known %s signature of sample.jpg under the secret b', (signature, expected) => {
    const account = makeAccount({ apiSecret: 'b', signature });
    expect(urls.signUrl(account, SAMPLE, '', null)).toBe(
      `https://res.cloudinary.com/demo/image/upload/s--${expected}--/v1/sample.jpg`,
    );
  });
});

describe('a URL with a __cld_token__', () => {
  const KEY = '00112233ff99';
  const settings = { key: KEY, duration: 300, round: 0, withSignature: false };
  const account = makeAccount({ authToken: settings });
  const verifier = new UrlVerifier();
  const exp = 1_800_000_000;
  const ending = { expiresAt: exp, notBefore: null };

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Whether mode `local` serves it, at the path that it has there. */
  function opensAt(url: string, now: number, of: Account = account): boolean {
    vi.setSystemTime(now * 1000);
    const { search } = new URL(url);
    const path = url.slice(of.deliveryBase.length, url.indexOf('?'));
    return verifier.isAuthorized(of, search.replace('?__cld_token__=', ''), `/${of.cloudName}${path}`);
  }

  it.each([exp - 3600, exp - 1, exp, exp + 29])(
    'opens the image of a token that is accepted at %d, and has time to load it',
    (now) => {
      vi.setSystemTime(now * 1000);
      const url = urls.signUrl(account, SAMPLE, '', ending);
      expect([opensAt(url, now), opensAt(url, now + 30), opensAt(url, exp + 59)]).toStrictEqual([
        true,
        true,
        true,
      ]);
      expect(opensAt(url, exp + 60)).toBe(false);
    },
  );

  it.each([
    [false, null],
    [false, 'img.example.com'],
    [true, null],
    [true, 'img.example.com'],
  ])('opens in mode local with a private CDN: %s, and the host %s; no other path', (privateCdn, host) => {
    const own = makeAccount({ authToken: settings, privateCdn, host });
    const url = urls.signUrl(own, SAMPLE, '', ending);
    expect(opensAt(url, exp, own)).toBe(true);
    expect(opensAt(url.replace('sample', 'other'), exp, own)).toBe(false);
  });

  it('starts 30 seconds before the nbf of a token, since the token is then accepted', () => {
    const nbf = exp - 1_000;
    const url = urls.signUrl(account, SAMPLE, '', { expiresAt: exp, notBefore: nbf + 0.9 });
    expect(url).toContain(`?__cld_token__=st=${nbf - 30}~exp=${exp + 60}~hmac=`);
    expect(opensAt(url, nbf - 31)).toBe(false);
    expect(opensAt(url, nbf - 30)).toBe(true);
    const altered = url.replace(`st=${nbf - 30}`, `st=${nbf - 3000}`);
    expect([opensAt(altered, nbf), opensAt(url.replace(/st=\d+~/, ''), nbf)]).toStrictEqual([false, false]);
  });

  it('is the same for a token, whenever it is signed', () => {
    const signed = [exp - 9_999, exp, exp + 29.9].map((now) => {
      vi.setSystemTime(now * 1000);
      return urls.signUrl(account, SAMPLE, '', ending);
    });
    expect(new Set(signed).size).toBe(1);
  });

  it.each([
    ['with an exp', ending, exp + 30],
    ['without one', null, exp + 300 - 30],
  ])('is in no cached redirect if the client could not load it in time: %s', (_, times, until) => {
    vi.setSystemTime(exp * 1000);
    expect(urls.periodOf(account, times)?.followUntil).toBe(until);
    expect(opensAt(urls.signUrl(account, SAMPLE, '', times), until + 29)).toBe(true);
  });

  describe.each([null, { expiresAt: null, notBefore: exp }])('without an exp: %o', (times) => {
    const rounded = makeAccount({ authToken: { ...settings, round: 300 } });
    // A multiple of 300 seconds after which the duration of 300 seconds leads to the next one.
    const start = Math.ceil(exp / 300) * 300;
    const urlAt = (now: number): string => urls.signUrl(rounded, SAMPLE, '', times, now * 1000);

    it('is the same for the whole time until its rounded end changes', () => {
      expect(new Set([start + 0.001, start + 1, start + 299.999, start + 300].map(urlAt)).size).toBe(1);
      expect(urlAt(start + 1)).toContain(`exp=${start + 600}~`);
      expect(urlAt(start)).toContain(`exp=${start + 300}~`);
      expect(urlAt(start + 300.001)).toContain(`exp=${start + 900}~`);
      expect(urls.periodOf(rounded, times, (start + 1) * 1000)).toMatchObject({
        followUntil: start + 570,
        unchanged: { from: start * 1000, until: (start + 300) * 1000 },
      });
    });

    it('never expires earlier than the duration, and at most one rounding later', () => {
      for (let now = start; now < start + 700; now += 7.3) {
        const { expiration = 0 } = urls.periodOf(rounded, times, now * 1000) ?? {};
        expect(expiration).toBeGreaterThanOrEqual(now + 300);
        expect(expiration).toBeLessThan(now + 600);
      }
    });

    it('is another one at each second if nothing is rounded', () => {
      const at = (now: number): string => urls.signUrl(account, SAMPLE, '', times, now * 1000);
      expect(at(start + 1)).not.toBe(at(start));
    });
  });
});
