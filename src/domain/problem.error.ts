import { type ProblemCode, PROBLEMS } from './problems.js';

/** Members of a problem's body beside those of RFC 9457: snake_case, without secrets and tokens. */
export type ProblemExtensions = Readonly<Record<string, ProblemMember | readonly ProblemMember[]>>;
type ProblemMember = string | number | boolean | Readonly<Record<string, string>>;

/** Whose rate limit is exceeded: a client address's, an issuer's, that of failed admin keys, or of refused signatures. */
export type LimitScope = 'address' | 'issuer' | 'admin' | 'signatures';

/**
 * An error of the client, or something that the service cannot do now. Every feature derives its errors from it;
 * `ProblemFilter` writes them as `application/problem+json` (RFC 9457).
 */
export abstract class ProblemError extends Error {
  /** Extra members of the body, such as `step` and `key`. */
  readonly extensions: ProblemExtensions = {};
  /** Extra response headers, such as `Retry-After`. */
  readonly headers: Readonly<Record<string, string>> = {};
  /** Whose rate limit is exceeded; null for any other problem. */
  readonly limitScope: LimitScope | null = null;
  /** Whether one instance is thrown many times: its response is then created once. */
  readonly shared: boolean = false;

  /**
   * @param code Its stable name, in the table of problems.
   * @param detail What happened and what to do about it, for the client.
   * @param status HTTP status; by default the first that the table has for the code.
   */
  constructor(
    readonly code: ProblemCode,
    readonly detail: string,
    readonly status: number = PROBLEMS[code].statuses[0],
  ) {
    // The stack of a refusal is never read, and capturing it costs more than the refusal.
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(detail);
    Error.stackTraceLimit = limit;
    this.name = new.target.name;
  }
}
