import { applyDecorators } from '@nestjs/common';
import { ApiExtension, ApiOperation } from '@nestjs/swagger';

/** Codes of problems by their status. */
export type ProblemCodes = Readonly<Partial<Record<number, readonly string[]>>>;

/** Where a route's own problems wait for `describeProblems`, which takes them out of the document again. */
export const PROBLEMS_EXTENSION = 'x-problems';

/**
 * What OpenAPI says of a route beside its types.
 * @param summary What it does, in a few words.
 * @param problems What it may answer beside what every route of its kind may: see `describe-problems.ts`.
 */
export function Route(summary: string, problems: ProblemCodes = {}): MethodDecorator {
  return applyDecorators(ApiOperation({ summary }), ApiExtension(PROBLEMS_EXTENSION, problems));
}
