import { ProblemError, type ProblemExtensions } from '../domain/problem.error.js';

/** What an original must keep to. */
export type OriginalLimit = 'bytes' | 'type' | 'pixels' | 'frames' | 'integrity' | 'time';

/** 422: the file is no picture that is taken; `limit` names what it is over or against. */
export class InvalidOriginalError extends ProblemError {
  override readonly extensions: { readonly limit: OriginalLimit };

  constructor(limit: OriginalLimit, detail: string) {
    super('invalid_original', detail);
    this.extensions = { limit };
  }
}

/** 413: the file is over the size. */
export class OriginalTooLargeError extends ProblemError {
  override readonly extensions: { readonly limit: OriginalLimit; readonly max_bytes: number };

  constructor(maxBytes: number) {
    super('original_too_large', `The file is over ${maxBytes / 2 ** 20} MiB. Send a smaller one.`);
    this.extensions = { limit: 'bytes', max_bytes: maxBytes };
  }
}

/** 415: the route takes a file, and nothing else. */
export class OriginalRequiredError extends ProblemError {
  constructor() {
    super('unsupported_media_type', 'Send the original as multipart/form-data with one part named file.');
  }
}

/** 409: the name has another original already; it is never overwritten by a new row. */
export class OriginalExistsError extends ProblemError {
  override readonly extensions: ProblemExtensions;

  /** @param found What Cloudinary has under the name, for a caller who wants to register that. */
  constructor(found?: { readonly version: number; readonly format: string }) {
    super(
      'original_exists',
      'The public id has another original already. Register that one with a JSON body, replace it with ' +
        'PUT …/original on its row, or take another public id.',
    );
    this.extensions = found === undefined ? {} : { version: found.version, format: found.format };
  }
}
