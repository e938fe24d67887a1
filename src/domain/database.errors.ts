import { ProblemError } from './problem.error.js';

/** 503: the database is unreachable and the response is not cached, or it aborted a conflicting write. */
export class DatabaseUnavailableError extends ProblemError {
  override readonly headers = { 'Retry-After': '1' };

  constructor(detail = 'The database is unreachable. Try again.') {
    super('database_unavailable', detail);
  }

  static ofConflict(): DatabaseUnavailableError {
    return new DatabaseUnavailableError(
      'The write conflicted with another one and was rolled back. Try again.',
    );
  }
}
