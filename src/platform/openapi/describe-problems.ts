import { STATUS_CODES } from 'node:http';
import type { OpenAPIObject } from '@nestjs/swagger';
import { type Operation, operationsOf } from './operations.js';
import { type ProblemCodes, PROBLEMS_EXTENSION } from './route.js';

type Answer = NonNullable<NonNullable<OpenAPIObject['components']>['responses']>[string];

const PROBLEM = 'Problem';
const PROBLEM_SCHEMA = {
  type: 'object',
  description: 'A problem (RFC 9457). Some codes add members.',
  required: ['type', 'title', 'status', 'code', 'detail'],
  properties: {
    type: { type: 'string', enum: ['about:blank'], description: 'There is no page that describes it.' },
    title: { type: 'string', description: 'Of the status.' },
    status: { type: 'integer', description: 'Of the answer.' },
    code: { type: 'string', description: 'A stable name, for programs.' },
    detail: { type: 'string', description: 'What happened and what to do, for people.' },
  },
};

/** Problems of every request. */
const OF_ALL: ProblemCodes = { 400: ['bad_request'], 431: ['headers_too_large'] };
const OF_CALLERS: ProblemCodes = { 429: ['too_many_requests'] };
const OF_WORK: ProblemCodes = { 503: ['overloaded'] };
const OF_ADMIN_KEYS: ProblemCodes = {
  401: ['admin_key_required'],
  403: ['insufficient_scope', 'cross_site_request'],
};
const OF_ROWS: ProblemCodes = { 503: ['database_unavailable'] };
const OF_INPUT: ProblemCodes = { 422: ['invalid_request'] };
const OF_BODIES: ProblemCodes = { 413: ['body_too_large'], 415: ['unsupported_media_type'] };
const OF_REPEATS: ProblemCodes = {
  409: ['idempotency_in_progress', 'idempotency_answer_lost'],
  422: ['idempotency_key_reused'],
};
const OF_UPLOADS: ProblemCodes = {
  413: ['original_too_large'],
  422: ['invalid_original', 'upload_failed'],
  502: ['upload_failed'],
  503: ['upload_failed'],
  504: ['upload_failed'],
};

/**
 * Adds the problems of every operation to its responses: its own, and those of its parameters, body and security.
 * Responses with the same codes share a component.
 */
export function describeProblems(document: OpenAPIObject): void {
  const answers: NonNullable<OpenAPIObject['components']>['responses'] = {};
  for (const { operation } of operationsOf(document)) {
    const described: Operation & { [PROBLEMS_EXTENSION]?: ProblemCodes } = operation;
    const { [PROBLEMS_EXTENSION]: own = {} } = described;
    Reflect.deleteProperty(described, PROBLEMS_EXTENSION);
    for (const [status, codes] of merge([...sharedProblems(operation), own])) {
      const name = [status, ...codes].join('.');
      answers[name] ??= answerOf(status, codes);
      operation.responses[status] = { $ref: `#/components/responses/${name}` };
    }
  }
  const schemas = { ...document.components?.schemas, [PROBLEM]: PROBLEM_SCHEMA };
  document.components = { ...document.components, schemas, responses: answers };
}

function sharedProblems({ tags = [], security, parameters = [], requestBody }: Operation): ProblemCodes[] {
  const given = parameters.flatMap((parameter) => ('in' in parameter ? [parameter] : []));
  const types = requestBody !== undefined && 'content' in requestBody ? Object.keys(requestBody.content) : [];
  return [
    OF_ALL,
    // The same exceptions as in `limitAddresses` and `shedLoad`.
    ...(tags.includes('health') ? [] : [OF_CALLERS]),
    ...(tags.includes('health') || tags.includes('metrics') ? [] : [OF_WORK]),
    ...(security === undefined ? [] : [OF_ADMIN_KEYS, OF_ROWS]),
    ...(types.length > 0 ? [OF_BODIES] : []),
    ...(types.length > 0 || (security !== undefined && given.some((each) => each.in === 'query'))
      ? [OF_INPUT]
      : []),
    ...(given.some(({ name }) => name === 'Idempotency-Key') ? [OF_REPEATS] : []),
    ...(types.includes('multipart/form-data') ? [OF_UPLOADS] : []),
  ];
}

function merge(all: readonly ProblemCodes[]): Map<string, readonly string[]> {
  const merged = new Map<string, readonly string[]>();
  for (const [status, codes = []] of all.flatMap((each) => Object.entries(each))) {
    merged.set(status, [...new Set([...(merged.get(status) ?? []), ...codes])]);
  }
  return merged;
}

const answerOf = (status: string, codes: readonly string[]): Answer => ({
  description: STATUS_CODES[status] ?? 'Error',
  content: {
    'application/problem+json': {
      schema: {
        allOf: [
          { $ref: `#/components/schemas/${PROBLEM}` },
          {
            type: 'object',
            properties: {
              code: { type: 'string', enum: [...codes], description: 'The code of this problem.' },
            },
          },
        ],
      },
    },
  },
});
