/** Characters of a spelling below which it is no evidence: it may stand anywhere by chance. */
const MIN_LENGTH = 8;

/**
 * How a secret may be written down: as it is, hexadecimal, percent-encoded, and in base64 and base64url wherever it
 * begins in what was encoded.
 */
export function encodingsOf(secret: string | Buffer): readonly string[] {
  const bytes = Buffer.from(secret);
  const hex = bytes.toString('hex');
  const inBase64 = [0, 1, 2].flatMap((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replaceAll('=', '');
    // The first and the last character are of the neighbours' bits too.
    const own = text.slice(Math.ceil((offset * 4) / 3), (offset + bytes.length) % 3 === 0 ? undefined : -1);
    return [own, own.replaceAll('+', '-').replaceAll('/', '_')];
  });
  const clear =
    typeof secret === 'string'
      ? [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]
      : [];
  const all = [
    ...clear,
    hex,
    hex.toUpperCase(),
    hex.replaceAll(/../g, '%$&'),
    hex.toUpperCase().replaceAll(/../g, '%$&'),
    ...inBase64,
  ];
  return [...new Set(all)].filter((encoding) => encoding.length >= MIN_LENGTH);
}

/** Names of the secrets that a text holds, in whatever spelling. */
export function findSecrets(
  text: string,
  secrets: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  return [...secrets]
    .filter(([, encodings]) => encodings.some((each) => text.includes(each)))
    .map(([name]) => name);
}
