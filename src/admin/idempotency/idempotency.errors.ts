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

/** 409: the first request with the key is in progress. */
export class IdempotencyInProgressError extends ProblemError {
  override readonly headers = { 'Retry-After': '1' };

  constructor() {
    super(
      'idempotency_in_progress',
      'A request with this Idempotency-Key is in progress. Send it again to get its response.',
    );
  }
}

/** 409: the row was created, but its process ended before it stored the response. */
export class IdempotencyResponseLostError extends ProblemError {
  constructor() {
    super(
      'idempotency_answer_lost',
      'The request was carried out, but its response was lost. Look for the row; it is not created twice.',
    );
  }
}
