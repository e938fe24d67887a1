import { ProblemError } from './problem.error.js';

/** 404: there is no such image for this issuer; one of another issuer answers the same. */
export class ImageNotFoundError extends ProblemError {
  constructor() {
    super('image_not_found', 'There is no such image. Check its id, and that it belongs to the issuer.');
  }
}

/** 410: the image was deleted. */
export class ImageDeletedError extends ProblemError {
  constructor() {
    super('image_deleted', 'The image was deleted. Remove the links to it.');
  }
}
