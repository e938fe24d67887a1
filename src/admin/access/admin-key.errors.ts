import { ProblemError } from '../../domain/problem.error.js';

/** 404: there is no such admin key. */
export class AdminKeyNotFoundError extends ProblemError {
  readonly status = 404;
  readonly code = 'admin_key_not_found';

  constructor() {
    super('There is no such admin key. Check the id; keys of ADMIN_API_KEYS have none.');
  }
}

/** 409: every process keeps all of them in memory, so their number is bounded. */
export class TooManyAdminKeysError extends ProblemError {
  readonly status = 409;
  readonly code = 'too_many_admin_keys';

  constructor(limit: number) {
    super(`There are at most ${limit} admin keys. Revoke those that are no longer used.`);
  }
}
