import { ProblemError } from '../domain/problem.error.js';

/** The token's steps produce a URL that browsers and proxies may truncate. */
export class UrlTooLongError extends ProblemError {
  constructor(length: number) {
    super(
      'invalid_transformation',
      `The delivery URL would be ${length} characters long; 4096 are allowed. Sign a token with fewer or shorter steps.`,
    );
  }
}
