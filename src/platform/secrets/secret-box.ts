import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

const VERSION = 1;
const KEY_ID_BYTES = 4;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_BYTES = 1 + KEY_ID_BYTES + NONCE_BYTES;

/** A stored secret that cannot be decrypted: another key, a changed bit, or a blob of another row. */
export class SecretBoxError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'SecretBoxError';
  }
}

/**
 * Encrypts secrets at rest with AES-256-GCM. A blob is version (1 byte), key id (4), nonce (12), ciphertext, tag (16).
 * The place where it is stored is the additional authenticated data.
 */
export class SecretBox {
  private readonly keys: readonly { id: Buffer; key: Buffer }[];

  /** @param keys 32 bytes each; the first one encrypts, all decrypt. */
  constructor(keys: readonly Buffer[]) {
    this.keys = keys.map((key) => ({
      id: createHash('sha256')
        .update('pixseal secrets key id')
        .update(key)
        .digest()
        .subarray(0, KEY_ID_BYTES),
      key,
    }));
  }

  /** @param aad Where the blob is stored, such as issuer id, key id and column: it is decrypted only with the same. */
  encrypt(secret: Buffer, aad: readonly string[]): Buffer {
    const [first] = this.keys;
    if (first === undefined) throw new SecretBoxError('There is no key to encrypt with');
    const nonce = randomBytes(NONCE_BYTES);
    const head = Buffer.concat([Buffer.of(VERSION), first.id, nonce]);
    const cipher = createCipheriv('aes-256-gcm', first.key, nonce).setAAD(authenticated(head, aad));
    return Buffer.concat([head, cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
  }

  /** Whether one of the keys encrypted the blob, by its key id. */
  knows(blob: Buffer): boolean {
    return this.keys.some((key) => isUnder(blob, key.id));
  }

  /** Whether the first key encrypted the blob, by its key id. */
  isUnderFirst(blob: Buffer): boolean {
    return this.keys[0] !== undefined && isUnder(blob, this.keys[0].id);
  }

  /** @throws SecretBoxError unless one of the keys encrypted the blob for this place. */
  decrypt(blob: Buffer, aad: readonly string[]): Buffer {
    if (blob.length < HEAD_BYTES + TAG_BYTES || blob[0] !== VERSION) {
      throw new SecretBoxError('The stored secret is not an encrypted blob of a known version');
    }
    const head = blob.subarray(0, HEAD_BYTES);
    const encryptedBy = this.keys.find(({ id }) => isUnder(blob, id));
    if (encryptedBy === undefined)
      throw new SecretBoxError('SECRETS_KEY does not contain the key of a stored secret');
    const decipher = createDecipheriv('aes-256-gcm', encryptedBy.key, head.subarray(1 + KEY_ID_BYTES))
      .setAAD(authenticated(head, aad))
      .setAuthTag(blob.subarray(-TAG_BYTES));
    try {
      return Buffer.concat([decipher.update(blob.subarray(HEAD_BYTES, -TAG_BYTES)), decipher.final()]);
    } catch {
      throw new SecretBoxError('A stored secret was altered or copied from another row');
    }
  }
}

function isUnder(blob: Buffer, keyId: Buffer): boolean {
  return blob[0] === VERSION && keyId.equals(blob.subarray(1, 1 + KEY_ID_BYTES));
}

function authenticated(head: Buffer, aad: readonly string[]): Buffer {
  return Buffer.concat([head, Buffer.from(JSON.stringify(aad))]);
}
