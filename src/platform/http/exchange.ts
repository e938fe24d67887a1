import type { IncomingMessage, ServerResponse } from 'node:http';
import type { LimitScope } from '../../domain/problem.error.js';
import type { RequestSpan } from '../observability/tracing.js';
import type { AddressOf } from '../rate-limit/client-address.js';
import { sentStatus } from './broken-requests.js';

/** A problem in a log line and the metrics. */
export interface ProblemSummary {
  readonly code: string;
  /** Whose rate limit is exceeded; null for any other problem. */
  readonly limitScope: LimitScope | null;
}

/** The source of a redirect: the cache, a token, or a public image. */
export type RedirectKind = 'cached' | 'token' | 'public';

/** One request with its response, and what its handlers record for the log line, the metrics and the span. */
export class Exchange {
  /** By `performance.now()`. */
  readonly arrivedAt = performance.now();
  /** The route's pattern; null until one matches. Set by the handler before the router, or by a hook of Fastify. */
  route: string | null = null;
  /** The issuer whose rate the request consumed. */
  issuerId: string | null = null;
  /** The problem of the response. */
  problem: ProblemSummary | null = null;
  /** Null unless the response is a redirect to an image. */
  redirect: RedirectKind | null = null;
  /** Null unless the request is sampled for a trace. */
  span: RequestSpan | null = null;

  constructor(
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    /** `X-Request-Id`. */
    readonly requestId: string,
    private readonly addressOf: AddressOf,
  ) {}

  /** The client's address by `TRUST_PROXY`. Undefined for a closed connection. */
  get address(): string | undefined {
    return this.addressOf(this.request);
  }

  /** The status that the client received, once the response is closed; 499 if the client left before. */
  get status(): number {
    return sentStatus(this.response);
  }

  /** Milliseconds since the request arrived. */
  get elapsed(): number {
    return performance.now() - this.arrivedAt;
  }

  /** `X-Runtime`: the same in seconds, with the original API's six decimals. */
  get runtime(): string {
    return (this.elapsed / 1000).toFixed(6);
  }
}

const exchanges = new WeakMap<IncomingMessage, Exchange>();

/** Makes an exchange available to Fastify's hooks and handlers by its request. */
export function attachExchange(exchange: Exchange): void {
  exchanges.set(exchange.request, exchange);
}

/** The exchange of a request in Fastify. */
export function exchangeOf(request: IncomingMessage): Exchange {
  const exchange = exchanges.get(request);
  if (exchange === undefined) throw new Error('The request did not pass the request lifecycle');
  return exchange;
}
