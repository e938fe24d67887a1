import { STATUS_CODES } from 'node:http';
import type { OpenAPIObject } from '@nestjs/swagger';
import { type ProblemCode, PROBLEMS } from '../../domain/problems.js';
import { type Operation, operationsOf } from './operations.js';
import { PROBLEMS_EXTENSION } from './route.js';

type Answer = NonNullable<NonNullable<OpenAPIObject['components']>['responses']>[string];

const PROBLEM = 'Problem';
const PROBLEM_SCHEMA = {
  type: 'object',
  description: 'A problem (RFC 9457). Some codes add members.',
  required: ['type', 'title', 'status', 'code', 'detail'],
  properties: {
    type: { type: 'string', enum: ['about:blank'], description: 'No page describes it.' },
    title: { type: 'string', description: 'Of the status.' },
    status: { type: 'integer', description: 'Of the response.' },
    code: { type: 'string', description: 'A stable name, for programs.' },
    detail: { type: 'string', description: 'What happened and what to do, for people.' },
  },
};

type ProblemCodes = readonly ProblemCode[];

/** Any request, since it is parsed before it is routed. */
const OF_ALL: ProblemCodes = ['bad_request', 'headers_too_large'];
const OF_CALLERS: ProblemCodes = ['too_many_requests'];
const OF_WORK: ProblemCodes = ['overloaded'];
const OF_ADMIN_KEYS: ProblemCodes = ['admin_key_required', 'insufficient_scope', 'cross_site_request'];
const OF_ROWS: ProblemCodes = ['database_unavailable'];
const OF_INPUT: ProblemCodes = ['invalid_request'];
const OF_BODIES: ProblemCodes = ['body_too_large', 'unsupported_media_type'];
const OF_REPEATS: ProblemCodes = [
  'idempotency_in_progress',
  'idempotency_answer_lost',
  'idempotency_key_reused',
];
const OF_UPLOADS: ProblemCodes = ['original_too_large', 'invalid_original', 'upload_failed'];

/**
 * Adds the problems of every operation to its responses: its own, and those that follow from its parameters. Responses
 * of the same codes are one, which the operations refer to.
 */
export function describeProblems(document: OpenAPIObject): void {
  const answers: NonNullable<OpenAPIObject['components']>['responses'] = {};
  for (const { operation } of operationsOf(document)) {
    const described: Operation & { [PROBLEMS_EXTENSION]?: ProblemCodes } = operation;
    const { [PROBLEMS_EXTENSION]: own = [] } = described;
    Reflect.deleteProperty(described, PROBLEMS_EXTENSION);
    for (const [status, codes] of byStatus([...sharedProblems(operation), ...own])) {
      const name = [status, ...codes].join('.');
      answers[name] ??= answerOf(status, codes);
      operation.responses[status] = { $ref: `#/components/responses/${name}` };
    }
  }
  const schemas = { ...document.components?.schemas, [PROBLEM]: PROBLEM_SCHEMA };
  document.components = { ...document.components, schemas, responses: answers };
}

function sharedProblems({ tags = [], security, parameters = [], requestBody }: Operation): ProblemCode[] {
  const given = parameters.flatMap((parameter) => ('in' in parameter ? [parameter] : []));
  const types = requestBody !== undefined && 'content' in requestBody ? Object.keys(requestBody.content) : [];
  return [
    ...OF_ALL,
    // The same exceptions as in `limitAddresses` and `shedLoad`.
    ...(tags.includes('health') ? [] : OF_CALLERS),
    ...(tags.includes('health') || tags.includes('metrics') ? [] : OF_WORK),
    ...(security === undefined ? [] : [...OF_ADMIN_KEYS, ...OF_ROWS]),
    ...(types.length > 0 ? OF_BODIES : []),
    ...(types.length > 0 || (security !== undefined && given.some((each) => each.in === 'query'))
      ? OF_INPUT
      : []),
    ...(given.some(({ name }) => name === 'Idempotency-Key') ? OF_REPEATS : []),
    ...(types.includes('multipart/form-data') ? OF_UPLOADS : []),
  ];
}

function byStatus(codes: ProblemCodes): Map<number, ProblemCode[]> {
  const found = new Map<number, ProblemCode[]>();
  for (const code of new Set(codes)) {
    for (const status of PROBLEMS[code].statuses) found.set(status, [...(found.get(status) ?? []), code]);
  }
  return found;
}

const answerOf = (status: number, codes: ProblemCodes): Answer => ({
  description: [
    `${STATUS_CODES[status] ?? 'Error'}.`,
    ...codes.map((code) => `- \`${code}\`: ${PROBLEMS[code].when.replaceAll('\n', ' ')}`),
  ].join('\n'),
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
