import { processVariables } from '../platform/config/environment.js';
import { canonicalUuid } from '../domain/uuid.js';
import { UsageError } from './cli.errors.js';
import { readInput } from './input.js';

/** An issuer's secret, supplied by the caller. A DSN contains more. */
export interface IssuerSecret {
  readonly secret: string;
  readonly issuerId?: string;
  readonly keyId?: string;
  /** Origin of the service. */
  readonly origin?: string;
}

/** The admin API's rule for secrets, and so for keys of tokens. */
const SECRET = /^[\x21-\x7e]{32,512}$/;

/**
 * The secret from `--secret-file`, else PIXSEAL_SECRET, else PIXSEAL_DSN; null without any. Never an argument: other
 * users could read it in the process list.
 * @throws UsageError that does not contain it.
 */
export function findIssuerSecret(secretFile: string | undefined): IssuerSecret | null {
  if (secretFile !== undefined) return { secret: requireSecret('--secret-file', readInput(secretFile)) };
  const { PIXSEAL_SECRET: secret = '', PIXSEAL_DSN: dsn = '' } = processVariables();
  if (secret !== '') return { secret: requireSecret('PIXSEAL_SECRET', secret) };
  return dsn === '' ? null : readDsn(dsn);
}

/** The issuer of `--issuer`, else of PIXSEAL_DSN. @throws UsageError without both. */
export function requireIssuerId(issuer: string | undefined): string {
  const id = issuer ?? findIssuerSecret(undefined)?.issuerId;
  if (id === undefined) throw new UsageError('Name the issuer with --issuer, or set PIXSEAL_DSN.');
  return id;
}

/** `https://<issuer id>:<secret>@<host>/?kid=<key id>`, as `issuer create` prints it. */
function readDsn(dsn: string): IssuerSecret {
  const url = URL.canParse(dsn) ? new URL(dsn) : null;
  const issuerId = canonicalUuid(url?.username);
  const secret = url === null ? null : decodePercent(url.password);
  if (url === null || issuerId === null || secret === null) {
    throw new UsageError('PIXSEAL_DSN is not a valid dsn. Use the one that `pixseal issuer create` printed.');
  }
  const keyId = canonicalUuid(url.searchParams.get('kid'));
  return {
    secret: requireSecret('The secret in PIXSEAL_DSN', secret),
    issuerId,
    ...(keyId === null ? {} : { keyId }),
    origin: url.origin,
  };
}

function decodePercent(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function requireSecret(name: string, secret: string): string {
  if (SECRET.test(secret)) return secret;
  throw new UsageError(`${name} must contain 32 to 512 printable ASCII characters without spaces.`);
}
