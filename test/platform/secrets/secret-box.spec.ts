import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { SecretBox, SecretBoxError } from '../../../src/platform/secrets/secret-box.js';

const KEY = Buffer.alloc(32, 7);
const OTHER = Buffer.alloc(32, 8);
const PLACE = ['issuer_keys.secret', 'issuer', 'key'];
const box = new SecretBox([KEY]);
/** Encrypted with KEY for PLACE by an earlier release: stored blobs must stay readable. */
const STORED = Buffer.from(
  '01383a834809090909090909090909090946a5f7f1dd82a415fa0757037aa3050508d1ed502cf0c286',
  'hex',
);

describe('an encrypted secret', () => {
  it('is decrypted, also from an earlier release', () => {
    expect(box.decrypt(box.encrypt(Buffer.from('a secret'), PLACE), PLACE).toString()).toBe('a secret');
    expect(box.decrypt(STORED, PLACE).toString()).toBe('a secret');
  });

  it('is a different blob each time, without the secret in it', () => {
    const secret = randomBytes(32);
    const blobs = [box.encrypt(secret, PLACE), box.encrypt(secret, PLACE)];
    expect(blobs[0]?.equals(blobs[1] ?? Buffer.alloc(0))).toBe(false);
    for (const blob of blobs) expect(blob.includes(secret)).toBe(false);
  });

  it('is refused with any bit flipped', () => {
    for (let bit = 0; bit < STORED.length * 8; bit += 1) {
      const flipped = Buffer.from(STORED);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => box.decrypt(flipped, PLACE)).toThrow(SecretBoxError);
    }
  });

  it('is refused if truncated or empty', () => {
    for (let length = 0; length < STORED.length; length += 1) {
      expect(() => box.decrypt(STORED.subarray(0, length), PLACE)).toThrow(SecretBoxError);
    }
  });

  it.each([
    ['issuer', ['issuer_keys.secret', 'another', 'key']],
    ['key', ['issuer_keys.secret', 'issuer', 'another']],
    ['column', ['issuer_keys.other', 'issuer', 'key']],
    ['parting of the same text', ['issuer_keys.secret', 'issuerkey', '']],
  ])('is refused at another %s', (_, place) => {
    expect(() => box.decrypt(STORED, place)).toThrow('altered or copied');
  });

  it('is encrypted with the first key of the list, and decrypted with any', () => {
    const both = new SecretBox([OTHER, KEY]);
    expect(both.decrypt(STORED, PLACE).toString()).toBe('a secret');
    const blob = both.encrypt(Buffer.from('new'), PLACE);
    expect(new SecretBox([OTHER]).decrypt(blob, PLACE).toString()).toBe('new');
    expect(() => box.decrypt(blob, PLACE)).toThrow('SECRETS_KEY does not contain the key');
  });

  it('identifies its key', () => {
    const both = new SecretBox([OTHER, KEY]);
    expect([box, both, new SecretBox([OTHER])].map((each) => each.knows(STORED))).toStrictEqual([
      true, true, false,
    ]); // prettier-ignore
    expect([box, both].map((each) => each.isUnderFirst(STORED))).toStrictEqual([true, false]);
  });
});
