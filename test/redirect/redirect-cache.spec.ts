import { describe, expect, it } from 'vitest';
import { parseAddressRange } from '../../src/domain/ip-address.js';
import { NO_STORE } from '../../src/policy/cache-lifetime.js';
import { RedirectCache } from '../../src/redirect/redirect-cache.js';
import type { Redirect } from '../../src/redirect/redirect.js';

const PLAIN: Redirect = {
  issuerId: 'issuer',
  hasToken: true,
  keyId: null,
  addresses: null,
  use: null,
  rate: null,
  imageId: 'image',
  url: 'https://res.example/a.jpg',
  location: 'https://res.example/a.jpg',
  proxied: null,
  lifetime: NO_STORE,
  page: null,
};

/** The bytes that one redirect is counted as. */
function bytesOf(redirect: Redirect): number {
  const cache = new RedirectCache();
  const key = { pathId: 'image', token: 'token'.repeat(20), origin: null };
  for (let times = 0; times < 2; times += 1) {
    cache.set(key, redirect, [], { from: -Infinity, until: Infinity });
  }
  expect(cache.size.entries).toBe(1);
  return cache.size.bytes;
}

describe('the bytes of a cached redirect', () => {
  it('include the addresses of its token', () => {
    const range = parseAddressRange('2001:db8::/32');
    const addresses = Array.from({ length: 64 }, () => range).filter((found) => found !== null);
    expect(bytesOf({ ...PLAIN, addresses }) - bytesOf(PLAIN)).toBe(64 * 160);
  });

  it('include the target and the name of a proxied image', () => {
    const proxied = {
      target: 't'.repeat(500),
      isCacheable: true,
      disposition: 'd'.repeat(300),
      variant: null,
    };
    expect(bytesOf({ ...PLAIN, proxied }) - bytesOf(PLAIN)).toBe(1_400);
  });
});
