import { BlockList, isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isInRanges, mappedIpv4, parseAddress, parseAddressRange } from '../../src/domain/ip-address.js';

/** Whether a range contains an address; null if one of them is not read. */
function contains(range: string, address: string): boolean | null {
  const [read, groups] = [parseAddressRange(range), parseAddress(address)];
  return read === null || groups === null ? null : isInRanges([read], groups);
}

describe('an IP address', () => {
  it.each<[text: string, groups: number[]]>([
    ['::', [0, 0, 0, 0, 0, 0, 0, 0]],
    ['::1', [0, 0, 0, 0, 0, 0, 0, 1]],
    ['2001:DB8::ab', [0x2001, 0xdb8, 0, 0, 0, 0, 0, 0xab]],
    ['1:2:3:4:5:6:7:8', [1, 2, 3, 4, 5, 6, 7, 8]],
    ['1::', [1, 0, 0, 0, 0, 0, 0, 0]],
    ['192.0.2.1', [0, 0, 0, 0, 0, 0xffff, 0xc000, 0x201]],
    ['::ffff:192.0.2.1', [0, 0, 0, 0, 0, 0xffff, 0xc000, 0x201]],
    ['::FFFF:C000:201', [0, 0, 0, 0, 0, 0xffff, 0xc000, 0x201]],
    ['::192.0.2.1', [0, 0, 0, 0, 0, 0, 0xc000, 0x201]],
  ])('is read from %s', (text, groups) => {
    expect(parseAddress(text)).toStrictEqual(groups);
  });

  it.each([
    '',
    ' ',
    '1',
    '1.2.3',
    '01.2.3.4',
    '256.1.1.1',
    '1.2.3.4 ',
    '1.2.3.4:80',
    '[::1]',
    'fe80::1%eth0',
    ':::',
    'x',
  ])('is not read from %j', (text) => {
    expect(parseAddress(text)).toBeNull();
  });

  it('is an IPv4 one if it is mapped', () => {
    expect(mappedIpv4(parseAddress('::ffff:192.0.2.1') ?? [])).toBe('192.0.2.1');
    expect(mappedIpv4(parseAddress('::192.0.2.1') ?? [])).toBeNull();
    expect(mappedIpv4(parseAddress('2001:db8::ffff:c000:201') ?? [])).toBeNull();
  });
});

describe('a range of addresses', () => {
  it.each<[range: string, address: string, isContained: boolean]>([
    ['192.0.2.1', '192.0.2.1', true],
    ['192.0.2.1', '192.0.2.2', false],
    ['192.0.2.1', '::ffff:192.0.2.1', true],
    ['::ffff:192.0.2.1', '192.0.2.1', true],
    ['192.0.2.0/24', '192.0.2.255', true],
    ['192.0.2.0/24', '192.0.3.0', false],
    ['192.0.2.77/24', '192.0.2.1', true],
    ['192.0.2.128/25', '192.0.2.127', false],
    ['::ffff:192.0.2.0/120', '192.0.2.9', true],
    ['::ffff:192.0.2.0/120', '192.0.3.9', false],
    ['0.0.0.0/0', '255.1.2.3', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::/0', '2001:db8::1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['192.0.2.1/32', '192.0.2.1', true],
    ['192.0.2.1/32', '192.0.2.0', false],
    ['2001:db8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['2001:db8:0:8000::/49', '2001:db8:0:7fff::1', false],
    ['2001:db8:0:8000::/49', '2001:db8:0:ffff::1', true],
    ['2001:db8::1', '2001:DB8:0:0:0:0:0:1', true],
    ['::1', '127.0.0.1', false],
    ['::192.0.2.1', '192.0.2.1', false],
  ])('%s, and %s: %s', (range, address, isContained) => {
    expect(contains(range, address)).toBe(isContained);
  });

  it.each([
    ...[
      '',
      '/',
      '/8',
      '10.0.0.0/',
      '10.0.0.0/33',
      '10.0.0.0/-1',
      '10.0.0.0/08',
      '10.0.0.0/8/8',
      '10.0.0.0/8 ',
    ],
    '::ffff:192.0.2.0/24',
    ...['10.0.0/8', '::/129', '::1/1e1', 'fe80::1%1/64', 'localhost', 'loopback', '10.0.0.1-10.0.0.9', '*'],
  ])('is not read from %j', (text) => {
    expect(parseAddressRange(text)).toBeNull();
  });

  it('contains what Node’s BlockList says', () => {
    const octet = fc.integer({ min: 0, max: 255 });
    const ipv4 = fc.tuple(octet, octet, octet, octet).map((octets) => octets.join('.'));
    const near = fc.tuple(ipv4, fc.integer({ min: 0, max: 32 }), ipv4);
    const ipv6 = fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 }), fc.ipV6());
    fc.assert(
      fc.property(fc.oneof(near, ipv6), ([network, bits, address]) => {
        const family = isIP(network) === 4 ? 'ipv4' : 'ipv6';
        const list = new BlockList();
        list.addSubnet(network, bits, family);
        for (const each of [address, network]) {
          // The two implementations classify mapped and compatible addresses differently.
          fc.pre(!each.startsWith('::') && !network.startsWith('::'));
          expect(contains(`${network}/${bits}`, each)).toBe(list.check(each, family));
        }
      }),
    );
  });
});
