import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Paths of files in PEM format. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
  /** Of the CA that signed it. */
  readonly ca: string;
}

/** A CA that no machine trusts, and certificates that it signed. */
export interface PrivateCa {
  /** The path of the CA's certificate. */
  readonly ca: string;
  /** For 127.0.0.1. */
  readonly local: KeyPair;
  /** For db.example only. */
  readonly other: KeyPair;
  /** Of the user `certified`. */
  readonly client: KeyPair;
  remove(): void;
}

/** Creates the files with openssl. */
export function createPrivateCa(): PrivateCa {
  const folder = mkdtempSync(join(tmpdir(), 'pixseal-ca-'));
  const ca = join(folder, 'ca.pem');
  const openssl = (...args: readonly string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  };
  const key = ['-newkey', 'rsa:2048', '-nodes'];
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=A private CA');
  const sign = (name: string, subject: string): KeyPair => {
    writeFileSync(join(folder, `${name}.ext`), `subjectAltName=${subject}\n`);
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    const request = ['-req', '-in', `${name}.csr`, '-out', `${name}.crt`, '-extfile', `${name}.ext`];
    openssl('x509', ...request, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial');
    return { certificate: join(folder, `${name}.crt`), key: join(folder, `${name}.key`), ca };
  };
  return {
    ca,
    local: sign('local', 'IP:127.0.0.1'),
    other: sign('other', 'DNS:db.example'),
    client: sign('certified', 'DNS:certified'),
    remove: () => {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
