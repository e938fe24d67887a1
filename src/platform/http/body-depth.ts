import type { FastifyInstance } from 'fastify';
import { InvalidRequestError } from '../../domain/request.errors.js';

/** Objects and lists within each other: a policy's text layer is the deepest that a body has, with eight. */
const DEEPEST = 32;

/**
 * Refuses bodies that are nested too deep: whatever walks them by calling itself, class-transformer and
 * `JSON.stringify` among them, would run out of stack at some thousands.
 */
export function limitBodyDepth(server: FastifyInstance): void {
  server.addHook('preHandler', (request, _reply, done) => {
    if (isDeeper(request.body, DEEPEST)) {
      done(
        new InvalidRequestError([{ key: 'body', detail: `must be nested no deeper than ${DEEPEST} levels` }]),
      );
    } else done();
  });
}

/** Goes no deeper than `most` itself. */
function isDeeper(value: unknown, most: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (most === 0) return true;
  for (const inner of Array.isArray(value) ? (value as readonly unknown[]) : Object.values(value)) {
    if (isDeeper(inner, most - 1)) return true;
  }
  return false;
}
