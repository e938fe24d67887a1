import { ProblemError } from '../domain/problem.error.js';

/** 503: the policy forbids redirects, and this process does not deliver images itself. */
export class ProxyDisabledError extends ProblemError {
  constructor() {
    super(
      'proxy_disabled',
      'The issuer’s policy delivers images through this service, which is turned off. Its operator must set PROXY=on.',
    );
  }
}
