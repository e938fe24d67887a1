import { ProblemError, type ProblemExtensions } from '../../domain/problem.error.js';

/** 401: a request to the admin API has no admin key, or one that is not valid. */
export class AdminKeyRequiredError extends ProblemError {
  override readonly headers = { 'WWW-Authenticate': 'Bearer realm="admin"' };

  constructor(detail = 'This needs an admin key. Send it as `Authorization: Bearer <key>`.') {
    super('admin_key_required', detail);
  }

  /** For an `Authorization` header in another form. */
  static ofForm(): AdminKeyRequiredError {
    return new AdminKeyRequiredError(
      'The Authorization header is not of the form `Bearer <key>`. Send the admin key in that form.',
    );
  }

  /** For an invalid key. It gives no reason, since that would disclose whether a key existed. */
  static ofInvalidKey(): AdminKeyRequiredError {
    return new AdminKeyRequiredError(
      'The admin key is unknown, revoked or expired. Check it, or create another one.',
    );
  }
}

/** 403: the admin key is valid, but does not allow the request (RFC 6750 §3.1). */
export class InsufficientScopeError extends ProblemError {
  override readonly headers = { 'WWW-Authenticate': 'Bearer realm="admin", error="insufficient_scope"' };

  private constructor(detail: string) {
    super('insufficient_scope', detail);
  }

  static ofScope(scope: string): InsufficientScopeError {
    return new InsufficientScopeError(`This needs an admin key with the scope ${scope}.`);
  }

  static ofLifetime(expiry: Date): InsufficientScopeError {
    return new InsufficientScopeError(
      `This admin key expires at ${expiry.toISOString()}, so a key that it creates must not expire later: set expires_at.`,
    );
  }

  static ofBoundKey(): InsufficientScopeError {
    return new InsufficientScopeError('This needs an admin key that is not bound to an issuer.');
  }
}

/** 409: a row already has the id that the caller supplied. */
export class IdTakenError extends ProblemError {
  override readonly extensions = { key: 'id' };

  constructor() {
    super('id_taken', 'The id is taken. Use another UUID, or omit `id` to have one generated.');
  }
}

/** 409: an image, an overlay or a retention has the public id. */
export class PublicIdTakenError extends ProblemError {
  override readonly extensions: ProblemExtensions;

  /** By default nothing is disclosed but that another issuer has it. */
  constructor(
    detail = 'Another issuer has the public id: in an account a public id has one issuer. Use another one, or register a copy of the asset.',
    holder: ProblemExtensions = { taken_by: 'other_issuer' },
  ) {
    super('public_id_taken', detail);
    this.extensions = { key: 'public_id', ...holder };
  }

  /** For an image or overlay that the caller may see. */
  static ofRow(kind: 'image' | 'overlay', { id, issuerId }: OwnedRow): PublicIdTakenError {
    return new PublicIdTakenError(
      `The public id is already registered as the ${kind} ${id} of the issuer ${issuerId}. Use that row, or delete it first.`,
      { taken_by: kind, row_id: id },
    );
  }

  /** For a retention that the caller may see. */
  static ofRetained({ id, issuerId }: OwnedRow): PublicIdTakenError {
    return new PublicIdTakenError(
      `The public id is retained for the issuer ${issuerId}, whose image or overlay was deleted or renamed. Register it for that issuer, or release it with DELETE /admin/retained-public-ids/${id}.`,
      { taken_by: 'retained_public_id', row_id: id },
    );
  }
}

interface OwnedRow {
  readonly id: string;
  readonly issuerId: string;
}
