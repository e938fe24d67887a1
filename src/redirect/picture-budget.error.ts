import { ProblemError, type ProblemExtensions } from '../domain/problem.error.js';

/** 429 `picture_budget_spent`: the picture is new, and the issuer's `new_pictures_per_day` are spent. */
export class PictureBudgetSpentError extends ProblemError {
  override readonly extensions: ProblemExtensions;
  override readonly headers: { readonly 'Retry-After': string };

  /** @param wait Milliseconds until the next day in UTC. */
  constructor(limit: number, wait: number) {
    super(
      'picture_budget_spent',
      `The issuer’s ${limit} new pictures of this day (UTC) are spent. Pictures of the last 30 days are still delivered; ` +
        'try again tomorrow, or raise `new_pictures_per_day`.',
    );
    const seconds = Math.max(1, Math.ceil(wait / 1000));
    this.extensions = { limit, retry_after: seconds };
    this.headers = { 'Retry-After': String(seconds) };
  }
}
