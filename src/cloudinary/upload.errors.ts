import { ProblemError } from '../domain/problem.error.js';
import type { PROBLEMS } from '../domain/problems.js';

/** Cloudinary did not accept an original; `detail` contains its message. */
export class UploadFailedError extends ProblemError {
  override readonly headers: Readonly<Record<string, string>>;

  /**
   * @param status 422: Cloudinary refuses the file; 502: the account or Cloudinary fails; 503: too many uploads; 504:
   *   no response in time.
   */
  constructor(status: (typeof PROBLEMS)['upload_failed']['statuses'][number], detail: string) {
    super('upload_failed', detail, status);
    this.headers = status === 503 ? { 'Retry-After': '60' } : {};
  }
}
