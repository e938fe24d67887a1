import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** A client's id is used where it is printable, short and safe in a log line. */
const REQUEST_ID = /^[\w@-]{1,255}$/;

/** `X-Request-Id` of a request: its own where well-formed, else a new UUID. A repeated header is not well-formed. */
export function requestIdOf({ 'x-request-id': id }: IncomingHttpHeaders): string {
  return typeof id === 'string' && REQUEST_ID.test(id) ? id : randomUUID();
}
