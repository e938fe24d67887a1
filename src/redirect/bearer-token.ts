import type { IncomingMessage } from 'node:http';
import { countHeader } from '../platform/http/header-list.js';
import { InvalidTokenError, TwoTokensError } from '../tokens/token.errors.js';
import type { RedirectRequest } from './decide-redirect.js';

const BEARER = /^bearer(?: +(.*))?$/i;

/**
 * The request with the token of `Authorization: Bearer TOKEN` (RFC 6750 §2.1) in place of `?token=`. Other schemes are
 * of a proxy in front of the service, and have no effect.
 * @throws TwoTokensError (400) if it has both @throws InvalidTokenError (401) if the header is repeated
 */
export function readBearerToken(
  request: RedirectRequest,
  { headers, rawHeaders }: IncomingMessage,
): RedirectRequest {
  const { authorization } = headers;
  if (authorization === undefined) return request;
  const [match, token = ''] = BEARER.exec(authorization) ?? [];
  if (match === undefined) return request;
  if (request.query['token'] !== undefined) throw new TwoTokensError();
  // Node's `headers` contains the first of several.
  if (countHeader(rawHeaders, 'authorization') > 1) throw InvalidTokenError.because('missing_or_repeated');
  return { ...request, query: { ...request.query, token } };
}
