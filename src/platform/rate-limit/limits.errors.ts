import { type LimitScope, ProblemError } from '../../domain/problem.error.js';

const DETAILS = {
  address: 'Too many requests come from this address.',
  issuer: 'Too many requests come with tokens of this issuer, or for its public images.',
  admin: 'Too many requests from this address came without a good admin key.',
} as const satisfies Record<LimitScope, string>;

/** 429 `too_many_requests` (RFC 6585 §4): the caller's allowance is used up. */
export class TooManyRequestsError extends ProblemError {
  override readonly extensions: { readonly retry_after: number };
  override readonly headers: { readonly 'Retry-After': string };

  /** @param wait Milliseconds until the next request may come. */
  constructor(
    override readonly limitScope: LimitScope,
    wait: number,
  ) {
    const seconds = Math.max(1, Math.ceil(wait / 1000));
    super('too_many_requests', `${DETAILS[limitScope]} Ask again after ${seconds} s.`);
    this.extensions = { retry_after: seconds };
    this.headers = { 'Retry-After': String(seconds) };
  }
}
