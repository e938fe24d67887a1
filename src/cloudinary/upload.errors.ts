import { ProblemError } from '../domain/problem.error.js';

/** Cloudinary did not take an original; `detail` has its message. */
export class UploadFailedError extends ProblemError {
  readonly code = 'upload_failed';
  override readonly headers: Readonly<Record<string, string>>;

  /**
   * @param status 422: Cloudinary refuses the file; 502: the account or Cloudinary itself; 503: too many uploads;
   * 504: no answer in time.
   */
  constructor(
    readonly status: 422 | 502 | 503 | 504,
    detail: string,
  ) {
    super(detail);
    this.headers = status === 503 ? { 'Retry-After': '60' } : {};
  }
}
