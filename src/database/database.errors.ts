import { ProblemError } from '../problems/problem.error.js';

/** The database cannot be asked now and the answer is not at hand. */
export class DatabaseUnavailableError extends ProblemError {
  readonly status = 503;
  readonly code = 'database_unavailable';
  override readonly headers = { 'Retry-After': '1' };

  constructor() {
    super('The database cannot be reached at the moment. Try again.');
  }
}
