import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { AddressOf } from '../rate-limit/client-address.js';
import { OverloadedError } from '../rate-limit/overloaded.error.js';
import type { RateLimits } from '../rate-limit/rate-limits.js';
import type { RequestLog } from '../observability/request-log.js';
import { requestIdOf } from '../observability/request-id.js';
import type { Observations } from '../observability/observations.js';
import { ProblemFilter } from './problem.filter.js';
import type { Tracing } from '../observability/tracing.js';
import { trackResponse } from './broken-requests.js';
import type { Drain } from './drain.js';
import { attachExchange, Exchange } from './exchange.js';
import type { HeaderList } from './header-list.js';
import { findHostFault } from './request-origin.js';

/** A handler in front of Fastify's router, for requests that cost less than their routing. */
export interface MountedHandler {
  /** The prefix of its paths; all their problems have its headers. */
  readonly prefix: string;
  readonly headers: HeaderList;
  /** Handles a request, or returns false to leave it to Fastify. */
  handle(exchange: Exchange): boolean;
}

export interface LifecycleServices {
  readonly limits: RateLimits;
  readonly addressOf: AddressOf;
  readonly drain: Pick<Drain, 'draining'>;
  /** Whether a bound of this process's memory or event loop is exceeded. */
  readonly isOverloaded: () => boolean;
  readonly log: RequestLog;
  readonly observations: Observations;
  /** Null if nothing is traced. */
  readonly tracing: Tracing | null;
}

/** Health checks must be served however many clients share the balancer's address. */
const UNLIMITED: ReadonlySet<string> = new Set(['/health/live', '/health/ready']);
/** A process whose `/health/live` fails would be killed, and metrics show an overload. */
const NEVER_SHED: ReadonlySet<string> = new Set(['/health/live', '/metrics']);
/** Requests of balancers and Prometheus. */
const UNTRACED: ReadonlySet<string> = new Set(['/health/live', '/health/ready', '/metrics']);

/**
 * Every request passes it, whichever handler serves it: id, drain, overload, the address's rate limit, and finally the
 * log line, the metrics and the span.
 */
export class RequestLifecycle {
  private readonly problems = new ProblemFilter();
  private readonly mountedProblems: ProblemFilter;

  constructor(
    private readonly services: LifecycleServices,
    private readonly mounted: MountedHandler,
    private readonly fastifyHandler: RequestListener,
  ) {
    this.mountedProblems = new ProblemFilter(mounted.headers);
  }

  /** Node's `request` listener. */
  readonly handle = (request: IncomingMessage, response: ServerResponse): void => {
    const { addressOf, drain, tracing } = this.services;
    const exchange = new Exchange(request, response, requestIdOf(request.headers), addressOf);
    const isOpen = trackResponse(response, () => {
      this.end(exchange);
    });
    if (!isOpen) return;
    // Node drops the bytes behind an upgrade that is offered (RFC 9110 §7.8) and not accepted: the rest of the next
    // request would be parsed as another request.
    if (drain.draining || request.headers.upgrade !== undefined) response.shouldKeepAlive = false;
    if (tracing !== null && (this.isMounted(exchange) || !UNTRACED.has(pathOf(request)))) {
      exchange.span = tracing.start(request);
    }
    this.admit(exchange);
  };

  private admit(exchange: Exchange): void {
    const { limits, isOverloaded } = this.services;
    const { request } = exchange;
    if (isOverloaded() && !NEVER_SHED.has(pathOf(request))) {
      this.refuse(exchange, new OverloadedError());
      return;
    }
    if (limits.countsAddresses && !UNLIMITED.has(pathOf(request))) {
      try {
        limits.consumeAddress(exchange.address);
      } catch (error) {
        this.refuse(exchange, error);
        return;
      }
    }
    this.dispatch(exchange);
  }

  private dispatch(exchange: Exchange): void {
    const fault = findHostFault(exchange.request);
    if (fault !== null) {
      this.refuse(exchange, fault);
      return;
    }
    if (this.isMounted(exchange) && this.mounted.handle(exchange)) return;
    attachExchange(exchange);
    this.fastifyHandler(exchange.request, exchange.response);
  }

  private refuse(exchange: Exchange, error: unknown): void {
    (this.isMounted(exchange) ? this.mountedProblems : this.problems).write(error, exchange);
  }

  private isMounted({ request }: Exchange): boolean {
    return request.url?.startsWith(this.mounted.prefix) === true;
  }

  private end(exchange: Exchange): void {
    const { log, observations } = this.services;
    const { elapsed } = exchange;
    log.write(exchange, elapsed);
    observations.observe(exchange, elapsed);
    exchange.span?.end(exchange);
  }
}

/** The path without the query. */
function pathOf({ url = '' }: IncomingMessage): string {
  const mark = url.indexOf('?');
  return mark < 0 ? url : url.slice(0, mark);
}
