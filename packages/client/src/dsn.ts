/**
 * The parts of a key's `dsn`: what `signToken` and `imageUrl` need. It does not contain the algorithm: for a key of
 * HS384 or HS512, pass `algorithm` to `signToken` too.
 */
export interface Dsn {
  readonly issuerId: string;
  readonly secret: string;
  /** The key's id. */
  readonly kid?: string;
  readonly baseUrl: string;
}

const DSN = /^(https?:\/\/)([^:/?#@]+):([^/?#@]+)@([^/?#]+)\/?(?:\?kid=([^&#]+))?$/;

/**
 * Parses the `dsn` of a new key, which the admin API and `pixseal issuer create` return.
 * @throws TypeError for any other text; the message does not repeat it, since it may contain a secret.
 */
export function readDsn(dsn: string): Dsn {
  const [, scheme, issuerId, escapedSecret = '', host, kid] = DSN.exec(dsn) ?? [];
  const secret = decode(escapedSecret);
  if (scheme === undefined || issuerId === undefined || secret === undefined || host === undefined) {
    throw new TypeError('Not a valid DSN. Expected https://<issuer id>:<secret>@<host>/?kid=<key id>');
  }
  return {
    issuerId,
    secret,
    ...(kid === undefined ? {} : { kid }),
    baseUrl: scheme + host,
  };
}

/** Undefined for an invalid percent-encoding. */
function decode(escaped: string): string | undefined {
  try {
    return decodeURIComponent(escaped);
  } catch {
    return undefined;
  }
}
