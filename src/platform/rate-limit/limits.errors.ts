import { type LimitScope, ProblemError } from '../../domain/problem.error.js';

const DETAILS = {
  address: 'Too many requests from this address.',
  issuer: 'Too many requests with tokens of this issuer, or for its public images.',
  admin: 'Too many requests from this address without a valid admin key.',
} as const satisfies Partial<Record<LimitScope, string>>;

/** 429 `too_many_requests` (RFC 6585 §4): a rate limit is exceeded. */
export class TooManyRequestsError extends ProblemError {
  override readonly extensions: { readonly retry_after: number };
  override readonly headers: { readonly 'Retry-After': string };

  /** @param wait Milliseconds until the next request is accepted. */
  constructor(
    override readonly limitScope: keyof typeof DETAILS,
    wait: number,
  ) {
    const seconds = Math.max(1, Math.ceil(wait / 1000));
    super('too_many_requests', `${DETAILS[limitScope]} Try again after ${seconds} s.`);
    this.extensions = { retry_after: seconds };
    this.headers = { 'Retry-After': String(seconds) };
  }
}
