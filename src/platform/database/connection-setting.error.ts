/** The setting of a connection, and whether a password was set for it. */
interface ConnectionSetting {
  readonly variable: string;
  readonly hasPassword: boolean;
}

/** The database cannot be opened because the URL of a connection is wrong. */
export class ConnectionSettingError extends Error {
  /**
   * @param variable The setting of the URL.
   * @param problem What is wrong and what to do, as the rest of a sentence about the setting.
   */
  constructor(variable: string, problem: string) {
    super(`${variable} ${problem}`);
    this.name = 'ConnectionSettingError';
  }
}

const UNTRUSTED =
  /^(UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?|SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT)$/;
/** Codes of Node for a certificate that is not accepted, and for TLS that fails otherwise. */
const TLS_CODE = /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_)/;
const NO_TLS_OFFERED = 'The server does not support SSL connections';
const TLS_REQUIRED = /no encryption|SSL off|SSL connection is required|connection is insecure/i;

/** Of `pg`, which has no password to compute a SCRAM proof with, and of a server that got an empty one. */
const NO_PASSWORD = /client password must be a|empty password returned by client/;
/** `invalid_password` (https://www.postgresql.org/docs/current/errcodes-appendix.html). */
const INVALID_PASSWORD = '28P01';

/** Whether an error is about TLS or a certificate: the previous server may be reachable again. */
export function isTlsError(error: Error): boolean {
  return TLS_CODE.test(codeOf(error)) || error.message.startsWith(NO_TLS_OFFERED);
}

/** @returns null for an error that another setting would not change. */
export function findConnectionSettingError(
  error: unknown,
  { variable, hasPassword }: ConnectionSetting,
): ConnectionSettingError | null {
  if (error instanceof ConnectionSettingError) return error;
  const problem = error instanceof Error ? findProblem(error, hasPassword) : null;
  return problem === null ? null : new ConnectionSettingError(variable, problem);
}

function findProblem(error: Error, hasPassword: boolean): string | null {
  const { message } = error;
  const code = codeOf(error);
  if (NO_PASSWORD.test(message) || (code === INVALID_PASSWORD && !hasPassword))
    return 'has no password, and the server requires one';
  if (/statement pooling/i.test(message)) {
    return (
      'leads to a connection pooler in statement mode, which refuses transactions. ' +
      'Use its transaction mode and set DATABASE_LISTEN_URL, use its session mode, or connect to Postgres itself'
    );
  }
  if (/unsupported startup parameter/i.test(message))
    return `has a parameter that the connection pooler refuses (${message}). Remove it`;
  if (UNTRUSTED.test(code)) {
    return (
      `leads to a server with a certificate that this machine does not trust (${message}). ` +
      'Add sslrootcert=/path/ca.pem, the CA of the provider. ' +
      'sslmode=no-verify accepts any certificate, also that of an attacker on the network'
    );
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return (
      `leads to a server with a certificate for another host name (${message}). ` +
      'Use a host name of the certificate'
    );
  }
  if (message.startsWith(NO_TLS_OFFERED)) {
    return (
      'requires TLS, which the server does not offer. ' +
      'sslmode=disable connects without encryption: use it within a private network only'
    );
  }
  if (TLS_REQUIRED.test(message))
    return `leads to a server that requires TLS (${message}). Add sslmode=verify-full`;
  return isTlsError(error) ? `leads to a server with which TLS fails (${message || code})` : null;
}

function codeOf(error: Error): string {
  return 'code' in error ? String(error.code) : '';
}
