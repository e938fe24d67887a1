import type { FastifyInstance } from 'fastify';
import { InvalidRequestError } from '../../domain/request.errors.js';

/** Nesting of a body: the deepest valid one, with a policy's text layer, has eight levels. */
const DEEPEST = 32;

/**
 * Refuses bodies that are nested too deeply: recursive code such as class-transformer and `JSON.stringify` would
 * overflow the stack at some thousands.
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

/** Recurses at most `most` levels. */
function isDeeper(value: unknown, most: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (most === 0) return true;
  for (const inner of Array.isArray(value) ? (value as readonly unknown[]) : Object.values(value)) {
    if (isDeeper(inner, most - 1)) return true;
  }
  return false;
}
