import { ProblemError } from '../../domain/problem.error.js';

/** 503: this process can serve only what is cached. */
export class NotReadyError extends ProblemError {
  override readonly headers = { 'Retry-After': '1' };

  constructor() {
    super('not_ready', 'The database has been unavailable for longer than cached rows may be served.');
  }
}

/** 503: this process is shutting down. It still serves, so that load balancers can remove it first. */
export class DrainingError extends ProblemError {
  override readonly headers = { 'Retry-After': '1' };

  constructor() {
    super('draining', 'This process is shutting down. Use another one.');
  }
}
