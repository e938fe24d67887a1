import { ProblemError } from '../../domain/problem.error.js';

/** 404: there is no such issuer. */
export class IssuerNotFoundError extends ProblemError {
  constructor() {
    super('issuer_not_found', 'There is no such issuer. Check the id.');
  }
}

/** 404: this issuer has no such key. */
export class KeyNotFoundError extends ProblemError {
  constructor() {
    super('key_not_found', 'This issuer has no such key. Check the ids.');
  }
}

/** 409: there is nothing to seal a preview with. */
export class NoLiveKeyError extends ProblemError {
  constructor() {
    super('no_live_key', 'The issuer has no key that counts now. Add one, or change when one counts.');
  }
}

/** 409: an issuer with images or overlays stays. */
export class IssuerNotEmptyError extends ProblemError {
  constructor() {
    super(
      'issuer_not_empty',
      'The issuer still has images or overlays. Delete them first, or disable the issuer instead.',
    );
  }
}

/** Stops a start: `SECRETS_KEY` does not open what is stored. Names rows, never a value. */
export class StoredSecretsError extends Error {
  /** @param knownKey Whether `SECRETS_KEY` has the key they are sealed under. */
  constructor(count: number, { id, issuer_id }: { id: string; issuer_id: string }, knownKey: boolean) {
    super(
      knownKey
        ? `None of the ${count} stored secrets under a key of SECRETS_KEY opens, such as that of key ${id} of issuer ` +
            `${issuer_id}: they were altered, or moved from other rows. Restore table issuer_keys, or delete these rows.`
        : `SECRETS_KEY lacks the key of ${count} stored secrets, such as that of key ${id} of issuer ${issuer_id}. ` +
            'Add the key that the service had when they were stored; in embedded mode without the variable it is in ' +
            'secrets.json of DATA_DIR.',
    );
    this.name = 'StoredSecretsError';
  }
}

/** 409: every key is tried on a token without `kid`, so their number is bounded. */
export class TooManyKeysError extends ProblemError {
  constructor(limit: number) {
    super('too_many_keys', `An issuer has at most ${limit} keys. Revoke one that is no longer used.`);
  }
}
