import { canonicalUuid } from '../domain/uuid.js';

/** No control characters, since Postgres text cannot hold NUL; no lone surrogates, since UTF-8 cannot. */
const ALIAS = /^[^\p{Cc}\p{Cs}]{1,255}$/u;

/** Whether a value may be another `iss` of an issuer, such as an identity provider's URL. A UUID is an issuer's id. */
export function isIssuerAlias(value: unknown): value is string {
  return typeof value === 'string' && ALIAS.test(value) && canonicalUuid(value) === null;
}
