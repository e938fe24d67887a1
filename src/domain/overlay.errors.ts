import { ProblemError } from './problem.error.js';

/** 404: there is no such overlay for this issuer; one of another issuer answers the same. */
export class OverlayNotFoundError extends ProblemError {
  constructor() {
    super(
      'overlay_not_found',
      'There is no such overlay. Check the ids of the layers, and that they belong to the issuer.',
    );
  }
}
