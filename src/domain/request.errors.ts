import { ProblemError } from './problem.error.js';

/** 422: a body or query whose form is wrong; `errors` has a key and a reason for each fault. */
export class InvalidRequestError extends ProblemError {
  readonly status = 422;
  readonly code = 'invalid_request';
  override readonly extensions: { readonly errors: readonly { key: string; detail: string }[] };

  constructor(errors: readonly { key: string; detail: string }[]) {
    super(`The request is not of the form this route takes: see errors.`);
    this.extensions = { errors };
  }
}
