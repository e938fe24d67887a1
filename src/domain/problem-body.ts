import { STATUS_CODES } from 'node:http';
import type { ProblemError, ProblemExtensions } from './problem.error.js';
import type { ProblemCode } from './problems.js';

/** The JSON body of a problem (RFC 9457 §3.1), with the stable `code`. */
export type ProblemBody = {
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly code: ProblemCode;
  readonly detail: string;
} & ProblemExtensions;

/** The body of a problem. It contains nothing of the request: indistinguishable refusals have equal bodies. */
export function problemBody(problem: ProblemError): ProblemBody {
  return {
    type: 'about:blank',
    title: STATUS_CODES[problem.status] ?? 'Error',
    status: problem.status,
    code: problem.code,
    detail: problem.detail,
    ...problem.extensions,
  };
}
