/**
 * What a key's `dsn` holds: all that `signToken` and `imageUrl` need with a key of HS256. It says nothing of the
 * algorithm: with a key of HS384 or HS512, `signToken` needs that `algorithm` beside it.
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
 * Reads the `dsn` that the admin API and `pixseal issuer create` give with a new key.
 * @throws TypeError for any other text, which it does not repeat: it may hold a secret.
 */
export function readDsn(dsn: string): Dsn {
  const [, scheme, issuerId, escapedSecret = '', host, kid] = DSN.exec(dsn) ?? [];
  const secret = decode(escapedSecret);
  if (scheme === undefined || issuerId === undefined || secret === undefined || host === undefined) {
    throw new TypeError(
      'This is no dsn of an issuer’s key: https://<issuer id>:<secret>@<host>/?kid=<key id>',
    );
  }
  return {
    issuerId,
    secret,
    ...(kid === undefined ? {} : { kid }),
    baseUrl: scheme + host,
  };
}

/** Undefined where a percent sign escapes nothing. */
function decode(escaped: string): string | undefined {
  try {
    return decodeURIComponent(escaped);
  } catch {
    return undefined;
  }
}
