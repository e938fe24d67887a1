import { ProblemError } from '../../domain/problem.error.js';

/** 409: an overlay that is a font file has no thumbnail. */
export class NoPreviewError extends ProblemError {
  constructor() {
    super('no_preview', 'The overlay is a font file, which has no thumbnail.');
  }
}
