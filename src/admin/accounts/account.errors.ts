import { ProblemError } from '../../domain/problem.error.js';

/** 404: no account has this id. */
export class AccountNotFoundError extends ProblemError {
  constructor() {
    super(
      'account_not_found',
      'No Cloudinary account has this id. Check it; the account of CLOUDINARY_URL has no id.',
    );
  }
}

/** 404: the account has no secret with this id. */
export class AccountSecretNotFoundError extends ProblemError {
  constructor() {
    super('account_secret_not_found', 'The Cloudinary account has no secret with this id. Check both ids.');
  }
}

/** 409: an account with issuers cannot be deleted. */
export class AccountNotEmptyError extends ProblemError {
  constructor() {
    super(
      'account_not_empty',
      'The Cloudinary account still has issuers. Delete them first, or disable the account instead.',
    );
  }
}

/** 409: a public id has one issuer in a cloud, so a cloud has one account. */
export class CloudNameTakenError extends ProblemError {
  override readonly extensions = { key: 'cloud_name' };

  constructor() {
    super(
      'cloud_name_taken',
      'Another account has this cloud name: a row, or the account of CLOUDINARY_URL. Use that account.',
    );
  }
}

/** 409: the account has a secret with this API key. */
export class ApiKeyTakenError extends ProblemError {
  override readonly extensions = { key: 'api_key' };

  constructor() {
    super('api_key_taken', 'The account has a secret with this API key already. Change or delete that one.');
  }
}

/** 409: without a secret that signs, the account's issuers would get 503. */
export class SigningSecretRequiredError extends ProblemError {
  constructor() {
    super(
      'signing_secret_required',
      'This secret signs the account’s URLs, so it can neither be deleted nor expire. Let another secret sign first: PATCH it with {"signs": true}.',
    );
  }
}

/** 409: a notification is compared with every secret, so their number is limited. */
export class TooManyAccountSecretsError extends ProblemError {
  constructor(limit: number) {
    super(
      'too_many_account_secrets',
      `A Cloudinary account has at most ${limit} secrets. Delete one that is no longer used.`,
    );
  }
}
