import { ProblemError } from '../problems/problem.error.js';

const DETAILS = {
  address: 'Too many requests come from this address.',
  issuer: 'Too many requests come with tokens of this issuer, or for its public images.',
  admin: 'Too many requests from this address came without a good admin key.',
} as const satisfies Record<string, string>;

/** Whose allowance is counted. */
export type LimitScope = keyof typeof DETAILS;

/** 429 `too_many_requests` (RFC 6585 §4): the caller's allowance is used up. */
export class TooManyRequestsError extends ProblemError {
  readonly status = 429;
  readonly code = 'too_many_requests';
  override readonly extensions: { readonly retry_after: number };
  override readonly headers: { readonly 'Retry-After': string };

  /** @param wait Milliseconds until the next request may come. */
  constructor(
    readonly scope: LimitScope,
    wait: number,
  ) {
    const seconds = Math.max(1, Math.ceil(wait / 1000));
    super(`${DETAILS[scope]} Ask again after ${seconds} s.`);
    this.extensions = { retry_after: seconds };
    this.headers = { 'Retry-After': String(seconds) };
  }
}

/** 503 `overloaded`: the process is behind with its work, and refuses more instead of letting everybody wait. */
export class OverloadedError extends ProblemError {
  readonly status = 503;
  readonly code = 'overloaded';
  override readonly headers = { 'Retry-After': '1' };

  constructor() {
    super('The service has more work than it can do now. Ask again after 1 s.');
  }
}
