import { ProblemError } from '../problems/problem.error.js';

/** 404: there is no such issuer. */
export class IssuerNotFoundError extends ProblemError {
  readonly status = 404;
  readonly code = 'issuer_not_found';

  constructor() {
    super('There is no such issuer. Check the id.');
  }
}

/** 404: this issuer has no such key. */
export class KeyNotFoundError extends ProblemError {
  readonly status = 404;
  readonly code = 'key_not_found';

  constructor() {
    super('This issuer has no such key. Check the ids.');
  }
}

/** 409: an issuer with images or overlays stays. */
export class IssuerNotEmptyError extends ProblemError {
  readonly status = 409;
  readonly code = 'issuer_not_empty';

  constructor() {
    super('The issuer still has images or overlays. Delete them first, or disable the issuer instead.');
  }
}

/** 409: every key is tried on a token without `kid`, so their number is bounded. */
export class TooManyKeysError extends ProblemError {
  readonly status = 409;
  readonly code = 'too_many_keys';

  constructor(limit: number) {
    super(`An issuer has at most ${limit} keys. Revoke one that is no longer used.`);
  }
}
