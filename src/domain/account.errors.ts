import { ProblemError } from './problem.error.js';

/** 503: the account of the issuer is disabled, or one of its stored secrets cannot be decrypted. */
export class AccountUnavailableError extends ProblemError {
  override readonly headers = { 'Retry-After': '60' };

  constructor() {
    super(
      'account_unavailable',
      'The Cloudinary account cannot be used at present. Its operator must enable it or replace its secrets.',
    );
  }
}
