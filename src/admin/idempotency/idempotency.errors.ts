import { ProblemError } from '../../domain/problem.error.js';

/** 422: the key was used for another request. */
export class IdempotencyKeyReusedError extends ProblemError {
  constructor() {
    super(
      'idempotency_key_reused',
      'The Idempotency-Key was used with another body. Send a new key for a new request.',
    );
  }
}

/** 409: the first request of the key is still being worked on. */
export class IdempotencyInProgressError extends ProblemError {
  override readonly headers = { 'Retry-After': '1' };

  constructor() {
    super(
      'idempotency_in_progress',
      'A request with this Idempotency-Key is being worked on. Send it again for its answer.',
    );
  }
}

/** 409: the row was made, and the process ended before it could keep the answer. */
export class IdempotencyAnswerLostError extends ProblemError {
  constructor() {
    super(
      'idempotency_answer_lost',
      'The request was carried out, but its answer was lost. Look for the row; it is not made twice.',
    );
  }
}
