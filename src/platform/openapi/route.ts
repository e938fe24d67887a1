import { applyDecorators } from '@nestjs/common';
import { ApiExtension, ApiOperation } from '@nestjs/swagger';
import type { ProblemCode } from '../../domain/problems.js';

/** The extension that passes a route's problems to `describeProblems`, which removes it. */
export const PROBLEMS_EXTENSION = 'x-problems';

/**
 * Describes a route in OpenAPI, beside its types.
 * @param summary What it does, in a few words.
 * @param problems Codes of its own problems, beside those of every route of its kind: see `describe-problems.ts`.
 */
export function Route(summary: string, problems: readonly ProblemCode[] = []): MethodDecorator {
  return applyDecorators(ApiOperation({ summary }), ApiExtension(PROBLEMS_EXTENSION, problems));
}
