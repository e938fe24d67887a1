import { ProblemError } from '../../domain/problem.error.js';

/** 503: Redis, which has the counts, does not respond. Without a count nothing is delivered. */
export class CounterUnavailableError extends ProblemError {
  override readonly headers = { 'Retry-After': '1' };

  constructor() {
    super(
      'counter_unavailable',
      'The counts of new pictures and of uses of tokens are unreachable. Try again after 1 s.',
    );
  }
}
