import { ProblemError } from '../../domain/problem.error.js';

/** 503 `overloaded`: the process has a backlog, and refuses further requests instead of delaying all of them. */
export class OverloadedError extends ProblemError {
  override readonly headers = { 'Retry-After': '1' };

  constructor() {
    super('overloaded', 'The service has more work than it can do now. Ask again after 1 s.');
  }
}
