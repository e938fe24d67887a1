import type { FastifyReply, FastifyRequest } from 'fastify';
import { IMAGE_HEADERS } from '../delivery/response-headers.js';
import type { ProblemError } from '../problems/problem.error.js';
import { ProblemFilter } from '../problems/problem.filter.js';

const problems = new ProblemFilter();
const imageProblems = new ProblemFilter(IMAGE_HEADERS);

/** Refuses a request before Nest has seen it, with the headers that its route's answers have. */
export function refuseEarly(problem: ProblemError, request: FastifyRequest, reply: FastifyReply): void {
  const filter = request.routeOptions.url?.startsWith('/images/') === true ? imageProblems : problems;
  filter.answer(problem, request, reply);
}
