import { ProblemError } from '../../domain/problem.error.js';

/** 404: no admin key has this id. */
export class AdminKeyNotFoundError extends ProblemError {
  constructor() {
    super('admin_key_not_found', 'No admin key has this id. Check it; keys of ADMIN_API_KEYS have no id.');
  }
}

/** 409: every process holds all admin keys in memory, so their number is limited. */
export class TooManyAdminKeysError extends ProblemError {
  constructor(limit: number) {
    super(
      'too_many_admin_keys',
      `There are at most ${limit} admin keys. Revoke those that are no longer used.`,
    );
  }
}
