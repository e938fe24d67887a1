import { ProblemError, type ProblemExtensions } from '../../domain/problem.error.js';

/** 404: the account has no original of the image. */
export class OriginalMissingError extends ProblemError {
  constructor() {
    super('original_missing', 'Cloudinary has no original of this image. Upload it, or delete the image.');
  }
}

/** 502: the account's host did not deliver an image. */
export class UpstreamFailedError extends ProblemError {
  /** @param reason Completes "The image could not be fetched: …", without a full stop and without its URL. */
  constructor(reason: string) {
    super('upstream_failed', `The image could not be fetched: ${reason}.`);
  }
}

/** 504: the account's host did not deliver the image in time. */
export class UpstreamTimeoutError extends ProblemError {
  constructor() {
    super('upstream_timeout', 'Cloudinary did not deliver the image in time. Try again.');
  }
}

/** 416: no byte of the image is in the requested range. */
export class RangeNotSatisfiableError extends ProblemError {
  override readonly headers: Readonly<Record<string, string>>;
  override readonly extensions: ProblemExtensions;

  /** @param length Of the image in bytes. */
  constructor(length: number) {
    super('range_not_satisfiable', 'The image ends before the requested range. Request a part of it.');
    this.headers = { 'Content-Range': `bytes */${length}` };
    this.extensions = { length };
  }
}
