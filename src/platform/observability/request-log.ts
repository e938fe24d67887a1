import type { Logger } from 'pino';
import type { Exchange } from '../http/exchange.js';
import { logOutput } from './json.logger.js';

/**
 * Writes one JSON line for each request, when its response is sent or its client has left. It has the route's pattern
 * and never the URL: a token is in its query.
 */
export class RequestLog {
  constructor(private readonly logger: Logger) {}

  /**
   * Formats the line as pino would. No value needs escaping: methods, routes and codes are from fixed sets, and ids are
   * checked.
   * @param elapsed Milliseconds from the request's arrival to the end of its response.
   */
  write({ request, requestId, route, status, issuerId, problem }: Exchange, elapsed: number): void {
    if (!this.logger.isLevelEnabled('info')) return;
    logOutput.write(
      `{"level":"info","time":"${timeNow()}","request_id":"${requestId}","method":"${request.method ?? ''}","route":${quote(route)},"status":${status},"ms":${Math.round(elapsed * 1000) / 1000},"issuer_id":${quote(issuerId)},"problem_code":${quote(problem?.code ?? null)},"msg":"request"}\n`,
    );
  }
}

const quote = (text: string | null): string => (text === null ? 'null' : `"${text}"`);

let millisecond = 0;
let time = '';

/** ISO 8601, formatted once a millisecond. */
function timeNow(): string {
  const now = Date.now();
  if (now !== millisecond) {
    millisecond = now;
    time = new Date(now).toISOString();
  }
  return time;
}
