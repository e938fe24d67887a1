import { STATUS_CODES } from 'node:http';
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { findDatabaseFault, isConflict } from '../database/database-fault.js';
import { DatabaseUnavailableError } from '../../domain/database.errors.js';
import { type Exchange, exchangeOf, type ProblemSummary } from './exchange.js';
import { DEFAULT_HEADERS, type HeaderList, isPlainText, writeHeaders } from './header-list.js';
import { rawResponses } from './raw-response.js';
import { ProblemError } from '../../domain/problem.error.js';
import { type ProblemBody, problemBody } from '../../domain/problem-body.js';
import type { ProblemCode } from '../../domain/problems.js';

const FRAMEWORK_CODES: Readonly<Record<number, ProblemCode>> = {
  400: 'bad_request',
  404: 'not_found',
  405: 'method_not_allowed',
  408: 'request_timeout',
  413: 'body_too_large',
  414: 'uri_too_long',
  415: 'unsupported_media_type',
};

/** A problem's response without the parts of the single request. */
interface ProblemResponse {
  readonly status: number;
  readonly summary: ProblemSummary;
  /** Header lines. */
  readonly head: string;
  /** Each character is a byte. */
  readonly body: string;
}

/**
 * Writes errors as `application/problem+json` (RFC 9457), without stacks and secrets. Requests that Node could not read
 * are refused by broken-requests.ts.
 */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger(ProblemFilter.name);

  private readonly head: string;
  private readonly shared = new WeakMap<ProblemError, ProblemResponse>();

  /** @param headers Of every problem, beside its own. */
  constructor(headers: HeaderList = DEFAULT_HEADERS) {
    this.head = writeHeaders(headers.flat());
  }

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.respond(error, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }

  /** Responds to a request in Fastify. */
  respond(thrown: unknown, { raw }: FastifyRequest, reply: FastifyReply): void {
    reply.hijack();
    this.write(thrown, exchangeOf(raw));
  }

  /** Writes to Node's response, so that the spelling of headers stays. */
  write(thrown: unknown, exchange: Exchange): void {
    const { request, response, requestId, runtime } = exchange;
    const { status, summary, head, body } = this.compose(thrown);
    exchange.problem = summary;
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const own = `X-Request-Id: ${requestId}\r\nX-Runtime: ${runtime}\r\nContent-Length: ${body.length}\r\n`;
    rawResponses.write(request, response, { status, head: head + own, body });
  }

  private compose(thrown: unknown): ProblemResponse {
    const known = thrown instanceof ProblemError && thrown.shared ? this.shared.get(thrown) : undefined;
    if (known !== undefined) return known;
    const error = this.findUnavailable(thrown) ?? thrown;
    const problem = this.describe(error);
    const json = JSON.stringify(problem);
    const own = error instanceof ProblemError ? Object.entries(error.headers).flat() : [];
    const response: ProblemResponse = {
      status: problem.status,
      summary: {
        code: problem.code,
        limitScope: error instanceof ProblemError ? error.limitScope : null,
      },
      head: this.head + writeHeaders([...own, 'Content-Type', 'application/problem+json; charset=utf-8']),
      // Each character is a byte of the UTF-8.
      body: isPlainText(json) ? json : Buffer.from(json).toString('latin1'),
    };
    if (error instanceof ProblemError && error.shared) this.shared.set(error, response);
    return response;
  }

  /** The problem of a database that is at fault; null for any other error. */
  private findUnavailable(thrown: unknown): DatabaseUnavailableError | null {
    const reason = thrown instanceof Error ? thrown.message : 'no reason';
    if (isConflict(thrown)) {
      this.logger.warn(`Write conflict (deadlock or serialization failure): ${reason}`);
      return DatabaseUnavailableError.ofConflict();
    }
    if (findDatabaseFault(thrown) === null) return null;
    this.logger.error(`The database is unreachable: ${reason}`);
    return new DatabaseUnavailableError();
  }

  private describe(error: unknown): ProblemBody {
    if (error instanceof ProblemError) return problemBody(error);
    const status = frameworkStatus(error);
    if (status < 500) {
      return {
        type: 'about:blank',
        title: STATUS_CODES[status] ?? 'Bad Request',
        status,
        code: FRAMEWORK_CODES[status] ?? 'bad_request',
        detail: FRAMEWORK_DETAILS[status] ?? 'The request cannot be read. Check its path, headers and body.',
      };
    }
    this.logger.error(error instanceof Error ? error : new Error('A value that is not an Error was thrown'));
    return {
      type: 'about:blank',
      title: 'Internal Server Error',
      status: 500,
      code: 'internal_error',
      detail: 'An unexpected error occurred. Try again, and report the X-Request-Id if it happens again.',
    };
  }
}

const FRAMEWORK_DETAILS: Readonly<Record<number, string>> = {
  400: 'The request cannot be read: its path or body is malformed. A body must be JSON.',
  404: 'No route matches this method and path. Check both.',
  413: 'The request body is too large.',
  415: 'The request body must be application/json.',
};

/** Errors of Nest and Fastify have the status of a client's mistake; any error without one is a defect. */
function frameworkStatus(error: unknown): number {
  const status = thrownStatus(error);
  // Of the files of /docs, for a path that leads out of their folder; the service's own refusals are problems.
  if (status === 403) return 404;
  return typeof status === 'number' && status >= 400 && status < 600 ? status : 500;
}

function thrownStatus(error: unknown): unknown {
  if (error instanceof HttpException) return error.getStatus();
  return error instanceof Error && 'statusCode' in error ? error.statusCode : 500;
}
