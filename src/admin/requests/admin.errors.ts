import { ProblemError } from '../../domain/problem.error.js';

/** 401: a request to the admin API has no admin key, or one that is not valid. */
export class AdminKeyRequiredError extends ProblemError {
  override readonly headers = { 'WWW-Authenticate': 'Bearer realm="admin"' };

  constructor(detail = 'This needs an admin key. Send it as `Authorization: Bearer <key>`.') {
    super('admin_key_required', detail);
  }

  /** Of an `Authorization` header in another form. */
  static ofForm(): AdminKeyRequiredError {
    return new AdminKeyRequiredError(
      'The Authorization header is not of the form `Bearer <key>`. Send the admin key in that form.',
    );
  }

  /** Of a key that is not valid. It does not say why: whether a key existed is for its owner alone. */
  static ofInvalidKey(): AdminKeyRequiredError {
    return new AdminKeyRequiredError(
      'The admin key is unknown, revoked or expired. Check it, or create another one.',
    );
  }
}

/** 403: the admin key is good, and not for this (RFC 6750 §3.1). */
export class InsufficientScopeError extends ProblemError {
  override readonly headers = { 'WWW-Authenticate': 'Bearer realm="admin", error="insufficient_scope"' };

  private constructor(detail: string) {
    super('insufficient_scope', detail);
  }

  static ofScope(scope: string): InsufficientScopeError {
    return new InsufficientScopeError(`This needs an admin key with the scope ${scope}.`);
  }

  static ofLifetime(end: Date): InsufficientScopeError {
    return new InsufficientScopeError(
      `This admin key ends at ${end.toISOString()}, and so must every key that it makes: set expires_at.`,
    );
  }

  static ofBoundKey(): InsufficientScopeError {
    return new InsufficientScopeError('This needs an admin key that is not bound to an issuer.');
  }
}

/** 409: the caller brought an id that a row has already. */
export class IdTakenError extends ProblemError {
  override readonly extensions = { key: 'id' };

  constructor() {
    super('id_taken', 'The id is taken. Bring another UUID, or leave `id` out to be given one.');
  }
}

/** 409: the asset is registered already, by this issuer or by another, or is retained for its former issuer. */
export class PublicIdTakenError extends ProblemError {
  override readonly extensions = { key: 'public_id' };

  constructor() {
    super(
      'public_id_taken',
      'The public id is registered already, or its former issuer retains it. Use the row that has it, or delete that ' +
        'row first; an operator releases a retained one with DELETE /admin/retained-public-ids/:id.',
    );
  }
}
