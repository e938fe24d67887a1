import { ProblemError } from './problem.error.js';

/** 404: the issuer has no such image. An image of another issuer gets the same response. */
export class ImageNotFoundError extends ProblemError {
  constructor() {
    super('image_not_found', 'There is no such image. Check its id, and that it belongs to the issuer.');
  }
}

/** 410: Cloudinary's moderation rejected the image. */
export class ImageRejectedError extends ProblemError {
  constructor() {
    super(
      'image_rejected',
      'Cloudinary’s moderation rejected the image. Approve it there, or upload another one.',
    );
  }
}

/** 409: the issuer delivers originals' formats, and the image's is unknown. */
export class ImageFormatUnknownError extends ProblemError {
  constructor() {
    super(
      'image_format_unknown',
      'The issuer delivers images in the formats of their originals, and this image has no `format`. Its operator must set it.',
    );
  }
}

/** 410: the image was deleted. */
export class ImageDeletedError extends ProblemError {
  constructor() {
    super('image_deleted', 'The image was deleted. Remove the links to it.');
  }
}
