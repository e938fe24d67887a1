import type { FastifyInstance } from 'fastify';
import { InvalidRequestError } from './admin.errors.js';

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

function isDeeper(body: unknown, most: number): boolean {
  let level = [body];
  for (let depth = 0; level.length > 0; depth += 1) {
    const inner = level.filter((value) => typeof value === 'object' && value !== null);
    if (inner.length > 0 && depth >= most) return true;
    level = inner.flatMap((value): unknown[] => Object.values(value));
  }
  return false;
}
