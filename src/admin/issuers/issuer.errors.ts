import { ProblemError } from '../../domain/problem.error.js';

/** 404: no issuer that the caller may see has this id. */
export class IssuerNotFoundError extends ProblemError {
  constructor() {
    super('issuer_not_found', 'No issuer has this id. Check it.');
  }
}

/** 404: the issuer has no key with this id. */
export class KeyNotFoundError extends ProblemError {
  constructor() {
    super('key_not_found', 'The issuer has no key with this id. Check both ids.');
  }
}

/** 409: no key can sign a preview. */
export class NoLiveKeyError extends ProblemError {
  constructor() {
    super(
      'no_live_key',
      'The issuer has no key with a secret that is valid now. Add one, or change a key’s validity.',
    );
  }
}

/** 409: an issuer with images or overlays can neither be deleted nor moved to another account. */
export class IssuerNotEmptyError extends ProblemError {
  constructor(
    detail = 'The issuer still has images or overlays. Delete them first, or disable the issuer instead.',
  ) {
    super('issuer_not_empty', detail);
  }

  /** Deleted images count: a notification of their account may restore them. */
  static ofAccountChange(): IssuerNotEmptyError {
    return new IssuerNotEmptyError(
      'The issuer has overlays, or images that may be deleted, in its present Cloudinary account. Create another issuer for the other account.',
    );
  }
}

/** Fails the start: `SECRETS_KEY` does not decrypt the stored secrets. Names rows, never a value. */
export class StoredSecretsError extends Error {
  /**
   * @param at A row at fault, and its table.
   * @param knownKey Whether `SECRETS_KEY` has the key that they are encrypted under.
   */
  constructor(count: number, at: { readonly table: string; readonly row: string }, knownKey: boolean) {
    super(
      knownKey
        ? `None of the ${count} secrets stored under a key of SECRETS_KEY can be decrypted, such as that of ${at.row}: ` +
            `they were modified, or moved from other rows. Restore table ${at.table}, or delete these rows.`
        : `SECRETS_KEY lacks the key of ${count} stored secrets, such as that of ${at.row}. ` +
            'Add the key that they were stored under; if embedded mode generated it, it is in secrets.json of DATA_DIR.',
    );
    this.name = 'StoredSecretsError';
  }
}

/** 409: another issuer has the alias. */
export class IssAliasTakenError extends ProblemError {
  constructor() {
    super('iss_alias_taken', 'Another issuer has one of the `iss_aliases`. An `iss` names one issuer.');
  }
}

/** 409: a token without `kid` is tried with every key, so their number is limited. */
export class TooManyKeysError extends ProblemError {
  constructor(limit: number) {
    super('too_many_keys', `An issuer has at most ${limit} keys. Revoke a key that is no longer used.`);
  }
}
