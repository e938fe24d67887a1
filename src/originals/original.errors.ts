import { ProblemError, type ProblemExtensions } from '../domain/problem.error.js';

/** The limits that an original can exceed. */
export type OriginalLimit = 'bytes' | 'type' | 'pixels' | 'frames' | 'integrity' | 'time';

/** 422: the file is not an accepted image; `limit` names the limit that it exceeds. */
export class InvalidOriginalError extends ProblemError {
  override readonly extensions: { readonly limit: OriginalLimit };

  constructor(limit: OriginalLimit, detail: string) {
    super('invalid_original', detail);
    this.extensions = { limit };
  }
}

/** 413: the file is too large. */
export class OriginalTooLargeError extends ProblemError {
  override readonly extensions: { readonly limit: OriginalLimit; readonly max_bytes: number };

  constructor(maxBytes: number) {
    super('original_too_large', `The file is over ${maxBytes / 2 ** 20} MiB. Send a smaller file.`);
    this.extensions = { limit: 'bytes', max_bytes: maxBytes };
  }
}

/** 415: the route accepts only a file. */
export class OriginalRequiredError extends ProblemError {
  constructor() {
    super('unsupported_media_type', 'Send the original as multipart/form-data with one part named file.');
  }
}

/** 409: the public id has another original already, which a new row never overwrites. */
export class OriginalExistsError extends ProblemError {
  override readonly extensions: ProblemExtensions;

  /** @param found What Cloudinary has under the public id, for a client that wants to register it. */
  constructor(found?: { readonly version: number; readonly format: string }) {
    super(
      'original_exists',
      'The public id has another original already. Register that one with a JSON body, replace it with ' +
        'PUT …/original on its row, or use another public id.',
    );
    this.extensions = found === undefined ? {} : { version: found.version, format: found.format };
  }
}
