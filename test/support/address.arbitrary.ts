import fc from 'fast-check';

/** An address, and a text in which a proxy may forward it. */
export interface WrittenAddress {
  readonly address: string;
  readonly written: string;
}

/** Addresses with ports, brackets, zones, blanks, capital letters, and IPv4 mapped into IPv6, also in hexadecimal. */
export function writtenAddress(): fc.Arbitrary<WrittenAddress> {
  const port = fc.oneof(
    fc.constant(''),
    fc.nat({ max: 65_535 }).map((number) => `:${number}`),
    fc.constant(':_hidden'),
  );
  const blank = fc.constantFrom('', ' ', '\t');
  const zone = fc.constantFrom('', '%eth0', '%25en1');
  const upper = fc.boolean();
  const inBrackets = (text: string, end: string): string => (end === '' ? text : `[${text}]${end}`);
  const v4 = fc.ipV4().chain((address) =>
    fc.oneof(
      port.map((end) => ({ address, written: address + end })),
      fc
        .record({ end: port, zone, mapped: fc.constantFrom(`::ffff:${address}`, mappedHex(address)) })
        .map(({ end, zone: part, mapped }) => ({ address, written: inBrackets(mapped + part, end) })),
    ),
  );
  const v6 = fc
    .record({ address: fc.ipV6(), end: port, zone })
    .map(({ address, end, zone: part }) => ({ address, written: inBrackets(address + part, end) }));
  return fc
    .record({ one: fc.oneof(v4, v6), before: blank, behind: blank, upper })
    .map(({ one: { address, written }, before, behind, upper: capitals }) => ({
      address,
      written: before + (capitals && !written.includes('_') ? written.toUpperCase() : written) + behind,
    }));
}

function mappedHex(address: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  return `0:0:0:0:0:ffff:${(256 * a + b).toString(16)}:${(256 * c + d).toString(16)}`;
}
