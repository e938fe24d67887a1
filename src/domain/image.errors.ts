import { ProblemError } from './problem.error.js';

/** 404: the issuer has no such image. An image of another issuer gets the same response. */
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
