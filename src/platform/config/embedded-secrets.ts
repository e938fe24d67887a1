import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EmbeddedSecrets } from './environment.js';

interface SecretsFile {
  readonly admin_api_key: string;
  readonly secrets_key: string;
  readonly cloudinary_api_secret: string;
}

/** The file of embedded mode's admin key and other secrets, readable only by its owner. */
export function embeddedSecretsPath(dataDir: string): string {
  return join(dataDir, 'secrets.json');
}

/**
 * Loads the secrets of a data folder; the first start generates them.
 * @throws if the folder cannot be written or the file is damaged.
 */
export function loadEmbeddedSecrets(dataDir: string): EmbeddedSecrets {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const path = embeddedSecretsPath(dataDir);
  const generated: SecretsFile = {
    admin_api_key: randomBytes(32).toString('base64url'),
    secrets_key: randomBytes(32).toString('base64url'),
    cloudinary_api_secret: randomBytes(20).toString('base64url'),
  };
  // A link makes the file complete or absent, even if the process is killed. Of two processes that start at once, one
  // creates it and the other reads it.
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(generated, null, 2)}\n`, { mode: 0o600, flush: true });
  try {
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  const stored = readSecrets(path);
  return {
    adminApiKey: stored.admin_api_key,
    secretsKey: Buffer.from(stored.secrets_key, 'base64url'),
    cloudinaryApiSecret: stored.cloudinary_api_secret,
  };
}

function readSecrets(path: string): SecretsFile {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as SecretsFile;
  } catch {
    // The parser's message quotes the file, and so a secret.
    throw new Error(`${path} is damaged. Restore it: its key encrypts the issuers' secrets.`);
  }
}
