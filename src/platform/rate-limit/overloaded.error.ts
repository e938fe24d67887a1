import { ProblemError } from '../../domain/problem.error.js';

/** 503 `overloaded`: the process has a backlog, and refuses further requests instead of delaying all. */
export class OverloadedError extends ProblemError {
  override readonly headers = { 'Retry-After': '1' };

  constructor() {
    super('overloaded', 'The service is overloaded. Try again after 1 s.');
  }
}
