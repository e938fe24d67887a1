import { randomUUID } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import type { LimitScope } from '../problems/problem.error.js';

/** What a request's log line learns on the way. */
export interface IssuerTrail {
  /** Whose token the request carried, once it was verified. */
  issuerId: string | null;
}

declare module 'fastify' {
  interface FastifyRequest extends IssuerTrail {
    /** The code of the problem it was answered with: for the log line. */
    problemCode: string | null;
    /** Whose allowance was used up, where it was refused for that. */
    limitScope: LimitScope | null;
  }
}

/** A caller's id is kept when it is one: printable, bounded, and safe in a log line. */
const REQUEST_ID = /^[\w@-]{1,255}$/;

/**
 * `X-Request-Id` of a request: its own where well-formed, else a new UUID.
 * @param headers Names and values in turn, as they came: to look at them costs less than to have Node sort them.
 */
export function requestIdOf(headers: readonly string[]): string {
  let given: string | null = null;
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at];
    if (name?.length !== NAME.length || name.toLowerCase() !== NAME) continue;
    // Two of them are none.
    given = given === null ? (headers[at + 1] ?? '') : '';
  }
  return given !== null && REQUEST_ID.test(given) ? given : randomUUID();
}

const NAME = 'x-request-id';

/** `X-Runtime` of an answer: seconds since the request came, with six decimals, as the seed has them. */
export function runtimeOf(reply: FastifyReply): string {
  return runtimeText(reply.elapsedTime);
}

/** The same of a number of milliseconds. */
export function runtimeText(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(6);
}
