import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EmbeddedSecrets } from './environment.js';

interface SecretsFile {
  readonly admin_api_key: string;
  readonly secrets_key: string;
  readonly cloudinary_api_secret: string;
}

/** Where embedded mode keeps its admin key and other secrets, readable by its owner alone. */
export function embeddedSecretsPath(dataDir: string): string {
  return join(dataDir, 'secrets.json');
}

/**
 * The secrets of a data folder, made at the first start.
 * @throws when the folder cannot be written or the file is not as it was written.
 */
export function loadEmbeddedSecrets(dataDir: string): EmbeddedSecrets {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const path = embeddedSecretsPath(dataDir);
  const made: SecretsFile = {
    admin_api_key: randomBytes(32).toString('base64url'),
    secrets_key: randomBytes(32).toString('base64url'),
    cloudinary_api_secret: randomBytes(20).toString('base64url'),
  };
  // Linked into its place, the file is whole or not there whenever the process is killed; of two that start at once one
  // wins, and the other reads what it wrote.
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(made, null, 2)}\n`, { mode: 0o600, flush: true });
  try {
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  const kept = readSecrets(path);
  return {
    adminApiKey: kept.admin_api_key,
    secretsKey: Buffer.from(kept.secrets_key, 'base64url'),
    cloudinaryApiSecret: kept.cloudinary_api_secret,
  };
}

function readSecrets(path: string): SecretsFile {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as SecretsFile;
  } catch {
    // The parser's own message quotes the file, and so a secret.
    throw new Error(
      `${path} cannot be read as it was written. Restore it: the issuers' secrets are under its key.`,
    );
  }
}
