import { describe, expect, it } from 'vitest';
import { InvalidHostError, type RequestOrigin } from '../../src/platform/http/request-origin.js';
import type { DeliveryMode } from '../../src/domain/delivery-mode.js';
import { DownloadUnavailableError } from '../../src/domain/download.errors.js';
import { makeAccount } from '../support/account.js';
import { LocationBuilder } from '../../src/redirect/location-builder.js';

const SIGNED = 'https://res.cloudinary.com/demo/image/upload/s--aaaaaaaa--/v1/a.jpg';
const PATH = '/demo/image/upload/s--aaaaaaaa--/v1/a.jpg';
const ACCOUNT = makeAccount();
const ORIGIN: RequestOrigin = { protocol: 'http', host: 'example.org' };
const PUBLIC = 'https://img.example.com';

describe('the Location of a signed URL', () => {
  it('of Cloudinary’s API is refused in mode local, whose originals are not there', () => {
    const link = 'https://api.cloudinary.com/v1_1/demo/image/download?public_id=a';
    const build = (deliveryMode: DeliveryMode): string =>
      new LocationBuilder({ deliveryMode, publicUrl: PUBLIC }).build(link, ACCOUNT, ORIGIN);
    expect(build('cloudinary')).toBe(link);
    expect(build('blank')).toBe(`${PUBLIC}/assets/blank.jpg#${link}`);
    expect(() => build('local')).toThrow(DownloadUnavailableError);
  });

  it.each([
    ['cloudinary', null, false, SIGNED],
    ['cloudinary', PUBLIC, false, SIGNED],
    ['blank', null, true, `http://example.org/assets/blank.jpg#${SIGNED}`],
    ['blank', PUBLIC, false, `${PUBLIC}/assets/blank.jpg#${SIGNED}`],
    ['local', null, true, `http://example.org${PATH}`],
    ['local', PUBLIC, false, `${PUBLIC}${PATH}`],
  ] as const)(
    'in mode %s with PUBLIC_URL %s needs the origin of the request: %s, and is %s',
    (deliveryMode, publicUrl, needsOrigin, location) => {
      const builder = new LocationBuilder({ deliveryMode, publicUrl });
      expect(builder.needsOrigin).toBe(needsOrigin);
      expect(builder.build(SIGNED, ACCOUNT, ORIGIN)).toBe(location);
      if (needsOrigin) expect(() => builder.build(SIGNED, ACCOUNT, null)).toThrow(InvalidHostError);
      else expect(builder.build(SIGNED, ACCOUNT, null)).toBe(location);
    },
  );

  it.each([
    ['cloudinary', false, 'cdn.example.com', 'https://cdn.example.com/demo'],
    ['cloudinary', true, null, 'https://demo-res.cloudinary.com'],
    ['cloudinary', true, 'cdn.example.com', 'https://cdn.example.com'],
    ['local', false, 'cdn.example.com', `${PUBLIC}/demo`],
    ['local', true, null, `${PUBLIC}/demo`],
    ['local', true, 'cdn.example.com', `${PUBLIC}/demo`],
    ['blank', true, null, `${PUBLIC}/assets/blank.jpg#https://demo-res.cloudinary.com`],
    ['blank', true, 'cdn.example.com', `${PUBLIC}/assets/blank.jpg#https://cdn.example.com`],
  ] as const)(
    'in mode %s with a private CDN: %s, and the host %s starts with %s',
    (deliveryMode, privateCdn, host, start) => {
      const account = makeAccount({ privateCdn, host });
      const path = '/image/upload/s--aaaaaaaa--/v1/a.jpg';
      const builder = new LocationBuilder({ deliveryMode, publicUrl: PUBLIC });
      expect(builder.build(account.deliveryBase + path, account, null)).toBe(start + path);
    },
  );
});
