import type { Logger } from 'pino';
import type { Exchange } from '../http/exchange.js';

/**
 * Writes one JSON line for each request, when its response is sent or its client has left. It has the route's pattern
 * and never the URL: a token is in its query.
 */
export class RequestLog {
  constructor(private readonly logger: Logger) {}

  /** @param elapsed Milliseconds from the request's arrival to the end of its response. */
  write(exchange: Exchange, elapsed: number): void {
    if (!this.logger.isLevelEnabled('info')) return;
    const { request, requestId, route, status, issuerId, problem } = exchange;
    this.logger.info(
      {
        request_id: requestId,
        method: request.method,
        route,
        status,
        ms: Math.round(elapsed * 1000) / 1000,
        issuer_id: issuerId,
        problem_code: problem?.code ?? null,
      },
      'request',
    );
  }
}
