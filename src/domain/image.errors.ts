import { ProblemError } from './problem.error.js';

/** 404: there is no such image for this issuer; one of another issuer answers the same. */
export class ImageNotFoundError extends ProblemError {
  readonly status = 404;
  readonly code = 'image_not_found';

  constructor() {
    super('There is no such image. Check its id, and that it belongs to the issuer.');
  }
}

/** 410: the image was deleted. */
export class ImageDeletedError extends ProblemError {
  readonly status = 410;
  readonly code = 'image_deleted';

  constructor() {
    super('The image was deleted. Remove the links to it.');
  }
}
