import { ProblemError } from '../../domain/problem.error.js';

/** 503: this process cannot serve what it does not know already. */
export class NotReadyError extends ProblemError {
  override readonly headers = { 'Retry-After': '1' };

  constructor() {
    super('not_ready', 'The database does not answer, and has not for too long to serve on what is known.');
  }
}

/** 503: this process was told to end. It still serves, for balancers to take it out first. */
export class DrainingError extends ProblemError {
  override readonly headers = { 'Retry-After': '1' };

  constructor() {
    super('draining', 'This process is about to end. Ask another one.');
  }
}
