import { v2 as cloudinary } from 'cloudinary';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CloudinaryUrlService } from '../../src/cloudinary/cloudinary-url.service.js';
import { UrlTooLongError } from '../../src/cloudinary/cloudinary-url.errors.js';
import { findPublicIdFault } from '../../src/transformations/public-id.js';
import { URL_SIGNATURES } from '../../src/domain/url-signature.js';
import { UrlVerifier } from '../../src/cloudinary/url-verifier.js';
import type { Account } from '../../src/domain/account.js';
import { DELIVERY_TYPES } from '../../src/domain/image.js';
import { pathOf } from '../../src/transformations/component.js';
import { TransformationMapper } from '../../src/transformations/transformation.mapper.js';
import { makeAccount } from '../support/account.js';
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

type SignedAsset = Parameters<CloudinaryUrlService['signUrl']>[1];

const urls = new CloudinaryUrlService();

function bySdk(
  { publicId: id, deliveryType, version, format }: SignedAsset,
  components: readonly string[],
  account: Account,
  expiration: number,
): string {
  return cloudinary.url(id, {
    raw_transformation: components.join('/'),
    resource_type: 'image',
    type: deliveryType,
    version: String(version),
    format,
    cloud_name: account.cloudName,
    api_secret: account.apiSecret,
    sign_url: true,
    secure: true,
    private_cdn: false,
    force_version: false,
    urlAnalytics: false,
    signature_algorithm: account.signature === 'sha1' ? 'sha1' : 'sha256',
    long_url_signature: account.signature === 'long',
    auth_token: account.authToken === null ? false : { key: account.authToken.key, expiration },
  });
}

describe('a signed URL', () => {
  it('equals the SDK’s, in 100,000 cases', () => {
    const authTokens = fc.option(fc.constant({ key: '00112233ff99', duration: 300 }), { freq: 9 });
    const seen = new Set<string>();
    fc.assert(
      fc.property(
        asset,
        chain,
        fc.constantFrom(...URL_SIGNATURES),
        authTokens,
        fc.integer({ min: 1_700_000_000, max: 2_000_000_000 }),
        (signed, components, signature, authToken, end) => {
          const account = makeAccount({ signature, authToken });
          // The leeway, and time to load the image.
          const expected = bySdk(signed, components, account, end + 60);
          const sign = (): string => urls.signUrl(account, signed, pathOf(components), end);
          if (expected.length > 4_096) expect(sign).toThrow(UrlTooLongError);
          else expect(sign()).toBe(expected);
          seen.add(`${signature} ${authToken === null}`);
        },
      ),
      { numRuns: 100_000 },
    );
    expect(seen.size).toBe(6);
  });

  it.each([
    ['sha1', 'v2fTPYTu'],
    ['sha256', '2hbrSMPO'],
    ['long', '2hbrSMPOjj5BJ4xV7SgFbRDevFaQNUFf'],
  ] as const)('has the known %s signature of sample.jpg under the secret b', (signature, expected) => {
    const account = makeAccount({ apiSecret: 'b', signature });
    const sample = { deliveryType: 'upload', publicId: 'sample', version: 1, format: 'jpg' } as const;
    expect(urls.signUrl(account, sample, '', null)).toBe(
      `https://res.cloudinary.com/demo/image/upload/s--${expected}--/v1/sample.jpg`,
    );
  });
});

describe('a URL with a __cld_token__', () => {
  const account = makeAccount({ authToken: { key: '00112233ff99', duration: 300 } });
  const verifier = new UrlVerifier();
  const sample = { deliveryType: 'upload', publicId: 'sample', version: 1, format: 'jpg' } as const;
  const exp = 1_800_000_000;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function opensAt(url: string, now: number): boolean {
    vi.setSystemTime(now * 1000);
    const { pathname, search } = new URL(url);
    return verifier.isAuthorized(account, search.replace('?__cld_token__=', ''), pathname);
  }

  it.each([exp - 3600, exp - 1, exp, exp + 29])(
    'opens the image of a token that is accepted at %d, and has time to load it',
    (now) => {
      vi.setSystemTime(now * 1000);
      const url = urls.signUrl(account, sample, '', exp);
      expect([opensAt(url, now), opensAt(url, now + 30), opensAt(url, exp + 59)]).toStrictEqual([
        true,
        true,
        true,
      ]);
      expect(opensAt(url, exp + 60)).toBe(false);
    },
  );

  it('is the same for a token, whenever it is signed', () => {
    const signed = [exp - 9_999, exp, exp + 29.9].map((now) => {
      vi.setSystemTime(now * 1000);
      return urls.signUrl(account, sample, '', exp);
    });
    expect(new Set(signed).size).toBe(1);
  });

  it.each([
    ['with an exp', exp, exp + 30],
    ['without one', null, exp + 300 - 30],
  ])('is in no cached redirect if the client could not load it in time: %s', (_, expiresAt, until) => {
    vi.setSystemTime(exp * 1000);
    expect(urls.expiryOf(account, expiresAt)).toBe(until);
    expect(opensAt(urls.signUrl(account, sample, '', expiresAt), until + 29)).toBe(true);
  });
});
