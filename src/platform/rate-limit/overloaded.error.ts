import { ProblemError } from '../../domain/problem.error.js';

/** 503 `overloaded`: the process has a backlog, and refuses further requests instead of delaying all of them. */
export class OverloadedError extends ProblemError {
  readonly status = 503;
  readonly code = 'overloaded';
  override readonly headers = { 'Retry-After': '1' };

  constructor() {
    super('The service has more work than it can do now. Ask again after 1 s.');
  }
}
