import { ProblemError } from '../../domain/problem.error.js';

/** 404: no public id is retained under this id; it may have been released or registered again. */
export class RetainedPublicIdNotFoundError extends ProblemError {
  constructor() {
    super(
      'public_id_not_retained',
      'No public id is retained under this id. Check the id: it may have been released or registered again.',
    );
  }
}
