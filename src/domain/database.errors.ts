import { ProblemError } from './problem.error.js';

/** 503: the database cannot be asked now and the answer is not at hand, or it gave a write up for another. */
export class DatabaseUnavailableError extends ProblemError {
  override readonly headers = { 'Retry-After': '1' };

  constructor(detail = 'The database cannot be reached at the moment. Try again.') {
    super('database_unavailable', detail);
  }

  static ofConflict(): DatabaseUnavailableError {
    return new DatabaseUnavailableError(
      'Another write was in the way, and nothing of this one is kept. Try again.',
    );
  }
}
