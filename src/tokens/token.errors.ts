import { ProblemError } from '../domain/problem.error.js';

const DETAILS = {
  // One text for every failure of a signature and for every issuer: it must not reveal which issuers exist.
  not_accepted:
    'The token is not accepted. Sign a new one: `iss` must be your issuer’s id, and the key must be an active key of the issuer, with its algorithm; a secret is used as its text, not base64url-decoded.',
  expired: 'The token has expired. Sign a new one with a later `exp`.',
  not_yet_valid:
    'The token is not valid yet. Wait until its `nbf`, or check the clock of the machine that signed it.',
  issued_ahead: 'The token’s `iat` is in the future. Check the clock of the machine that signed it.',
  // Only for a token whose signature is valid.
  wrong_audience: 'The token’s `aud` must contain the audience of its issuer. Request a token for it.',
  // All below depend only on the token's own text, so they reveal nothing about our keys or issuers.
  missing_or_repeated: 'The token is malformed: pass exactly one non-empty `token`.',
  too_long: 'The token is malformed: it is longer than 8192 characters. Sign fewer or shorter steps.',
  not_compact:
    'The token is malformed: it must be three unpadded base64url segments joined by dots (RFC 7515 §7.1), unchanged.',
  bad_header:
    'The token is malformed: its header must be a JSON object in UTF-8 without repeated names, `crit` or `b64`.',
  bad_algorithm:
    'The token is malformed: its header’s `alg` must be HS256, HS384, HS512, EdDSA, ES256, RS256 or PS256.',
  no_key_id:
    'The token is malformed: with EdDSA, ES256, RS256 or PS256 its header must have the `kid` of the key.',
  bad_payload:
    'The token is malformed: its payload must be a JSON object in UTF-8, without a byte order mark or repeated names, at most 16 levels deep.',
  bad_time:
    'The token is malformed: `exp`, `nbf` and `iat` must be numbers of seconds (not milliseconds) since 1970, from 0 to below 100000000000 (the year 5138), or absent.',
  bad_image_id: 'The token is malformed: `image_id` must be a UUID or a non-empty array of UUIDs, or absent.',
  bad_id:
    'The token is malformed: the issuer’s policy reads `id` and `Id` as `image_id`, so each must be a UUID, or absent.',
  two_images:
    'The token names two images: `image_id`, `id` and `Id` must be equal under the issuer’s policy. Use one of them.',
  bad_identifier:
    'The token is malformed: `jti` and `session_id` must be strings of 1 to 255 characters without control characters, or absent.',
  bad_max_uses:
    'The token is malformed: `max_uses` must be a whole number from 1 to 1000 in a token with `jti` and `exp`, or absent.',
  bad_bind_ip:
    'The token is malformed: `bind_ip` must be an IP address or subnet, or an array of 1 to 64 of them, or absent.',
  used_up: 'The token has been used as often as its `max_uses` allows. Sign a new one with another `jti`.',
} as const satisfies Record<string, string>;

/** Why a token was refused. `not_accepted` stands for every reason that would help an attacker. */
export type InvalidTokenReason = keyof typeof DETAILS;

/**
 * 401 `invalid_token` (RFC 6750 §3.1): the token is refused. Until its signature is verified, the detail is one of a
 * fixed set.
 */
export class InvalidTokenError extends ProblemError {
  override readonly headers = { 'WWW-Authenticate': 'Bearer error="invalid_token"' };

  private constructor(
    readonly reason: InvalidTokenReason | 'ineffective_claim',
    detail: string,
    override readonly shared: boolean,
  ) {
    super('invalid_token', detail);
  }

  /** The shared instance of a reason: a flood of invalid tokens allocates none. */
  static because(reason: InvalidTokenReason): InvalidTokenError {
    return (refusals[reason] ??= new InvalidTokenError(reason, DETAILS[reason], true));
  }

  /** @param detail Names a claim of a verified token, and the correction. */
  static ofClaim(detail: string): InvalidTokenError {
    return new InvalidTokenError('ineffective_claim', detail, false);
  }
}

const refusals: Partial<Record<InvalidTokenReason, InvalidTokenError>> = {};

/**
 * 429 `too_many_requests`: too many tokens with public-key signatures were refused within the last second, so this one is
 * not checked. It may be valid.
 */
export class TooManySignaturesError extends ProblemError {
  static readonly instance = new TooManySignaturesError();

  override readonly shared = true;
  override readonly limitScope = 'signatures';
  override readonly extensions = { retry_after: 1 };
  override readonly headers = { 'Retry-After': '1' };

  private constructor() {
    super('too_many_requests', 'Too many tokens with wrong signatures. Try again after 1 s.');
  }
}

/** 401 `token_required` (RFC 6750 §3.1): the request has no token, and the image is not public. */
export class TokenRequiredError extends ProblemError {
  /** `X-message` is the original API's header for this response. */
  override readonly headers = { 'WWW-Authenticate': 'Bearer', 'X-message': 'Access denied' };

  constructor() {
    super(
      'token_required',
      'This image requires a token. Pass one of its issuer as `?token=` or as `Authorization: Bearer TOKEN`.',
    );
  }
}

/** 403 `image_not_in_token`: the token is valid, but bound to a list of other images. */
export class ImageNotInTokenError extends ProblemError {
  constructor() {
    super(
      'image_not_in_token',
      'The token is bound to other images. Sign one whose `image_id` lists this image.',
    );
  }
}

/** 403 `address_not_in_token`: the token is valid, but bound to other addresses. */
export class AddressNotInTokenError extends ProblemError {
  constructor() {
    super(
      'address_not_in_token',
      'The token is bound to other addresses. Sign one whose `bind_ip` contains the client’s address, as this service sees it.',
    );
  }
}

/** 400 `invalid_image_id`: the path's id is used and is not a UUID. */
export class InvalidImageIdError extends ProblemError {
  constructor() {
    super(
      'invalid_image_id',
      'The image id in the path must be a UUID, unless the token’s `image_id` names the image.',
    );
  }
}

/** 503: the token may be valid, but the stored secret of a key that may have signed it cannot be decrypted. */
export class IssuerUnavailableError extends ProblemError {
  override readonly headers = { 'Retry-After': '60' };

  constructor() {
    super(
      'issuer_unavailable',
      'A key of this issuer cannot be decrypted or read. Its operator must replace the key.',
    );
  }
}

/** 503: the token may be valid, but the keys of its issuer's `jwks_url` are unavailable. */
export class JwksUnavailableError extends ProblemError {
  override readonly headers = { 'Retry-After': '30' };

  constructor() {
    super(
      'jwks_unavailable',
      'The public keys of this issuer cannot be fetched. Try again, or check its `jwks_url`.',
    );
  }
}

/** 400: the request has a token twice, and they may differ. */
export class TwoTokensError extends ProblemError {
  constructor() {
    super('two_tokens', 'Pass the token as `?token=` or as `Authorization: Bearer TOKEN`, not as both.');
  }
}
