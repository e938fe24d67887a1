import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { afterCount } from '../rate-limit/after-count.js';
import type { AddressOf } from '../rate-limit/client-address.js';
import { OverloadedError } from '../rate-limit/overloaded.error.js';
import type { RateLimits } from '../rate-limit/rate-limits.js';
import type { RequestLog } from '../observability/request-log.js';
import { requestIdOf } from '../observability/request-id.js';
import type { Observations } from '../observability/observations.js';
import { ProblemFilter } from './problem.filter.js';
import type { Tracing } from '../observability/tracing.js';
import { TrackedResponse } from './broken-requests.js';
import type { Drain } from './drain.js';
import { attachExchange, Exchange } from './exchange.js';
import type { HeaderList } from './header-list.js';
import { findHostFault } from './request-origin.js';

/** A handler in front of Fastify's router, for requests whose routing would cost more than handling them. */
export interface MountedHandler {
  /** Where its paths begin; every problem below it has its headers. */
  readonly prefix: string;
  readonly headers: HeaderList;
  /** Handles a request, or returns false to leave it to Fastify. */
  handle(exchange: Exchange): boolean;
}

/** What the lifecycle goes by. */
export interface LifecycleServices {
  readonly limits: RateLimits;
  readonly addressOf: AddressOf;
  readonly drain: Pick<Drain, 'draining'>;
  /** Whether a bound of this process's memory or event loop is passed. */
  readonly isOverloaded: () => boolean;
  readonly log: RequestLog;
  readonly observations: Observations;
  readonly tracing: Tracing;
}

/** Health checks must be served however many clients share the balancer's address. */
const UNLIMITED: ReadonlySet<string> = new Set(['/health/live', '/health/ready']);
/** A process whose `/health/live` failed would be killed, and metrics show an overload. */
const NEVER_SHED: ReadonlySet<string> = new Set(['/health/live', '/metrics']);
/** What balancers and Prometheus request all day. */
const UNTRACED: ReadonlySet<string> = new Set(['/health/live', '/health/ready', '/metrics']);

/**
 * What every request passes, whichever handler serves it: id, drain, overload, the address's rate, and at its end the
 * log line, the count and the span. Each stands here and nowhere else.
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
    if (response instanceof TrackedResponse && response.isBehindLast) return;
    const exchange = new Exchange(request, response, requestIdOf(request.headers));
    const { drain, tracing } = this.services;
    // Comes once, also where the client left before the end.
    response.on('close', () => {
      this.end(exchange);
    });
    // Behind an upgrade that is offered (RFC 9110 §7.8) and not taken up, Node drops the bytes that it has read: the rest
    // of the next request would be read as a request of its own.
    if (drain.draining || request.headers.upgrade !== undefined) response.shouldKeepAlive = false;
    if (tracing.isOn && !UNTRACED.has(pathOf(request)))
      tracing.start(exchange, () => {
        this.admit(exchange);
      });
    else this.admit(exchange);
  };

  private admit(exchange: Exchange): void {
    const { limits, addressOf, isOverloaded } = this.services;
    const { request } = exchange;
    if (isOverloaded() && !NEVER_SHED.has(pathOf(request))) {
      this.refuse(exchange, new OverloadedError());
      return;
    }
    if (!limits.countsAddresses || UNLIMITED.has(pathOf(request))) {
      this.dispatch(exchange);
      return;
    }
    afterCount(
      () => limits.consumeAddress(addressOf(request)),
      () => {
        this.dispatch(exchange);
      },
      (error) => {
        this.refuse(exchange, error);
      },
    );
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
    const { log, observations, tracing } = this.services;
    const { elapsed } = exchange;
    log.write(exchange, elapsed);
    observations.observe(exchange, elapsed);
    tracing.end(exchange);
  }
}

/** Without its query. */
function pathOf({ url = '' }: IncomingMessage): string {
  const mark = url.indexOf('?');
  return mark < 0 ? url : url.slice(0, mark);
}
