import { ProblemError, type ProblemExtensions } from '../domain/problem.error.js';

/** The command line itself is wrong, or a variable that stands for a part of it: exit code 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

/** What was asked cannot be done here and now, for a reason that is no problem of the service's own: exit code 1. */
export class CommandFailedError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CommandFailedError';
  }
}

/** A problem that a running service answered, as if it had been thrown here. */
export class RemoteProblemError extends ProblemError {
  override readonly extensions: ProblemExtensions;

  constructor({
    status,
    code,
    detail,
    extensions,
  }: Pick<ProblemError, 'status' | 'code' | 'detail' | 'extensions'>) {
    super(code, detail, status);
    this.extensions = extensions;
  }
}
