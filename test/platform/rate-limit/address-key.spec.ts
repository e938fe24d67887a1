import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressKey, readAddress } from '../../../src/platform/rate-limit/address-key.js';
import { writtenAddress } from '../../support/address.arbitrary.js';

describe('a client’s address', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['192.0.2.7:5001', '192.0.2.7'],
    ['192.0.2.7:0', '192.0.2.7'],
    ['192.0.2.7:65535', '192.0.2.7'],
    ['192.0.2.7:_hidden', '192.0.2.7'],
    [' 192.0.2.7 ', '192.0.2.7'],
    ['\t192.0.2.7:5001\t', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::FFFF:192.0.2.7', '192.0.2.7'],
    ['::ffff:c000:207', '192.0.2.7'],
    ['::ffff:102:304', '1.2.3.4'],
    ['::ffff:0:0', '0.0.0.0'],
    ['0:0:0:0:0:ffff:c000:0207', '192.0.2.7'],
    ['0000:0000:0000:0000:0000:ffff:192.0.2.7', '192.0.2.7'],
    ['[::ffff:192.0.2.7]:443', '192.0.2.7'],
    ['[::ffff:c000:207]', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2:ffff:ffff:ffff:ffff', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002::', '2001:db8:1:2::/64'],
    ['2001:db8:1:3::1', '2001:db8:1:3::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['[2001:db8::1]', '2001:db8:0:0::/64'],
    ['[2001:db8::1]:443', '2001:db8:0:0::/64'],
    ['[2001:DB8::1]:_p', '2001:db8:0:0::/64'],
    // Without brackets it is an address, and its network is the same.
    ['2001:db8::1:443', '2001:db8:0:0::/64'],
    ['2001:db8:1:2:3:4:5:6:443', '2001:db8:1:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['[fe80::1%25eth0]:80', 'fe80:0:0:0::/64'],
    ['::ffff:192.0.2.7%eth0', '192.0.2.7'],
    ['64:ff9b::192.0.2.7', '64:ff9b:0:0::/64'],
    ['64:ff9b:1:2:3:4:192.0.2.7', '64:ff9b:1:2::/64'],
    // Not IPv4-mapped.
    ['::192.0.2.7', '0:0:0:0::/64'],
    ['1::ffff:192.0.2.7', '1:0:0:0::/64'],
  ])('%j has the key %s', (address, key) => {
    expect(addressKey(address)).toBe(key);
  });

  it.each([
    ...[
      '',
      ' ',
      ':',
      '[]',
      '[]:80',
      '[::1',
      '::1]',
      '[[::1]]:80',
      'unknown',
      'unknown:80',
      '_hidden',
      '_hidden:80',
    ],
    ...[
      'client-chosen',
      'for=192.0.2.7',
      '192.0.2',
      '192.0.2.256',
      '192.0.2.07',
      '192.0.2.7:',
      '192.0.2.7:123456',
    ],
    ...[
      '192.0.2.7:80:80',
      '192.0.2.7:-1',
      '[192.0.2.7]',
      '[192.0.2.7]:80',
      '192.0.2.7%eth0',
      '192.0.2.7 192.0.2.8',
    ],
    ...['1:2:3:4:5:6:7:8:9:80', '::ffff:192.0.2.256', '0x7f.1', '2130706433', '%eth0', 'a'.repeat(10_000)],
    `[${':_a'.repeat(5_000)}`,
  ])('is not read from %j', (text) => {
    expect(addressKey(text)).toBeNull();
    expect(readAddress(text)).toBeNull();
  });

  it('has one key in any spelling of a proxy', () => {
    fc.assert(
      fc.property(writtenAddress(), ({ address, written }) => {
        const key = addressKey(address);
        expect(key).not.toBeNull();
        expect(addressKey(written)).toBe(key);
      }),
    );
  });

  it('is null for any other text, without an error', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'0127.:[]%_afu \t'.split('')) }), (text) => {
        const key = addressKey(text);
        expect(key === null).toBe(readAddress(text) === null);
        if (key !== null)
          expect(key).toMatch(/^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f]{1,4}(:[0-9a-f]{1,4}){3}::\/64)$/);
      }),
    );
  });
});
