import { ProblemError, type ProblemExtensions } from '../domain/problem.error.js';

/** The command line, or a variable that replaces a part of it, is invalid: exit code 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

/** The command failed for a reason that is not a problem of the service: exit code 1. */
export class CommandFailedError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CommandFailedError';
  }
}

/** A problem that a running service returned, rethrown here. */
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
