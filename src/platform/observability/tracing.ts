import type { FastifyInstance } from 'fastify';
import type { Exchange } from '../http/exchange.js';

/** Records spans and sends them to a collector. */
export abstract class Tracing {
  /** Whether requests are traced at all. */
  abstract readonly isOn: boolean;

  /** Starts the span of a request, and runs its handler within it. */
  abstract start(exchange: Exchange, handle: () => void): void;

  /** Ends the span of a request, where it has one. */
  abstract end(exchange: Exchange): void;

  /** Makes Fastify's handlers run within the spans of their requests. */
  abstract enterHandlers(server: FastifyInstance): void;

  /** Runs a part of the current request under its own span. @param name One of a fixed set. */
  abstract run<T>(name: string, work: () => Promise<T>): Promise<T>;

  /** Trace context headers for a request to another service; none where nothing is traced. */
  abstract headers(): Readonly<Record<string, string>>;

  /** Sends the remaining spans, and stops. */
  abstract stop(): Promise<void>;
}

/** Records nothing. */
export class NoTracing extends Tracing {
  readonly isOn = false;

  start(_exchange: Exchange, handle: () => void): void {
    handle();
  }

  end(): void {
    // No span was started.
  }

  enterHandlers(): void {
    // No span is entered.
  }

  run<T>(_name: string, work: () => Promise<T>): Promise<T> {
    return work();
  }

  headers(): Readonly<Record<string, string>> {
    return {};
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}
