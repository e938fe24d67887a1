import { ProblemError } from '../../domain/problem.error.js';

/** 404: this issuer has no such revocation; it may have been restored, or forgotten after its `expires_at`. */
export class RevocationNotFoundError extends ProblemError {
  constructor() {
    super('revocation_not_found', 'This issuer has no such revocation. Check the ids.');
  }
}
