import { ProblemError } from './problem.error.js';

/** 404: the issuer has no such overlay. An overlay of another issuer gets the same response. */
export class OverlayNotFoundError extends ProblemError {
  constructor() {
    super(
      'overlay_not_found',
      'There is no such overlay. Check the ids of the layers, and that they belong to the issuer.',
    );
  }
}
