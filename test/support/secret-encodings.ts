/** The minimum length of an encoding: a shorter one may occur by chance. */
const MIN_LENGTH = 8;

/**
 * The encodings of a secret: plain, hexadecimal, percent-encoded, and in base64 and base64url at each offset of the
 * encoded text.
 */
export function encodingsOf(secret: string | Buffer): readonly string[] {
  const bytes = Buffer.from(secret);
  const hex = bytes.toString('hex');
  const inBase64 = [0, 1, 2].flatMap((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replaceAll('=', '');
    // The first and the last character also contain bits of the neighbouring bytes.
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

/** Names of the secrets that a text contains in any encoding. */
export function findSecrets(
  text: string,
  secrets: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  return [...secrets]
    .filter(([, encodings]) => encodings.some((each) => text.includes(each)))
    .map(([name]) => name);
}
