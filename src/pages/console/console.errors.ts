import { ProblemError } from '../../domain/problem.error.js';

/** 401: the key that is signed in with is not valid. */
export class WrongAdminKeyError extends ProblemError {
  override readonly headers = { 'WWW-Authenticate': 'Bearer realm="admin"' };

  constructor() {
    super(
      'wrong_admin_key',
      'The admin key is unknown, revoked or expired. Check it, or create another one.',
    );
  }
}

/** 403: a request with the console's session that another site sent. */
export class CrossSiteRequestError extends ProblemError {
  constructor() {
    super(
      'cross_site_request',
      'The console’s session is valid only for requests from the console. Programs send `Authorization: Bearer <key>`.',
    );
  }
}
