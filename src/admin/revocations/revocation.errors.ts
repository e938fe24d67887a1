import { ProblemError } from '../../domain/problem.error.js';

/** 404: the issuer has no revocation with this id; it may have been restored, or deleted after its `expires_at`. */
export class RevocationNotFoundError extends ProblemError {
  constructor() {
    super('revocation_not_found', 'The issuer has no revocation with this id. Check both ids.');
  }
}
