import { ProblemError } from './problem.error.js';

/** 422: an invalid body or query. `errors` has a key and a reason for each fault. */
export class InvalidRequestError extends ProblemError {
  override readonly extensions: { readonly errors: readonly { key: string; detail: string }[] };

  constructor(errors: readonly { key: string; detail: string }[]) {
    super('invalid_request', 'The request does not have the form of this route: see errors.');
    this.extensions = { errors };
  }
}
