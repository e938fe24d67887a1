import { ProblemError } from '../../domain/problem.error.js';

/** 404: there is no such admin key. */
export class AdminKeyNotFoundError extends ProblemError {
  constructor() {
    super(
      'admin_key_not_found',
      'There is no such admin key. Check the id; keys of ADMIN_API_KEYS have none.',
    );
  }
}

/** 409: every process keeps all of them in memory, so their number is bounded. */
export class TooManyAdminKeysError extends ProblemError {
  constructor(limit: number) {
    super(
      'too_many_admin_keys',
      `There are at most ${limit} admin keys. Revoke those that are no longer used.`,
    );
  }
}
