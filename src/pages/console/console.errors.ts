import { ProblemError } from '../../domain/problem.error.js';

/** 401: nobody signs in with this. */
export class WrongAdminKeyError extends ProblemError {
  readonly status = 401;
  readonly code = 'wrong_admin_key';
  override readonly headers = { 'WWW-Authenticate': 'Bearer realm="admin"' };

  constructor() {
    super('This is no admin key, or one that was revoked or has expired.');
  }
}

/** 403: a request with the console's session that did not come from the console. */
export class CrossSiteRequestError extends ProblemError {
  readonly status = 403;
  readonly code = 'cross_site_request';

  constructor() {
    super(
      'This was not sent by the console, so its session does not count. Programs send `Authorization: Bearer <key>`.',
    );
  }
}
