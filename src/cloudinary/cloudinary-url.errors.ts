import { ProblemError } from '../domain/problem.error.js';

/** The token's steps make a URL that browsers and proxies may cut. */
export class UrlTooLongError extends ProblemError {
  constructor(length: number) {
    super(
      'invalid_transformation',
      `The delivery URL would be ${length} characters long; 4096 are allowed. Seal fewer or shorter steps.`,
    );
  }
}
