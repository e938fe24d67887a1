import type { FastifyInstance } from 'fastify';
import type { Exchange } from '../http/exchange.js';

/** What is told of the service's work, to whoever collects traces. */
export abstract class Tracing {
  /** Whether requests are traced at all. */
  abstract readonly isOn: boolean;

  /** Starts the span of a request, and runs its handling within it. */
  abstract start(exchange: Exchange, handle: () => void): void;

  /** Ends the span of a request, where it has one. */
  abstract end(exchange: Exchange): void;

  /** Lets Fastify's handlers run within the spans of their requests. */
  abstract enterHandlers(server: FastifyInstance): void;

  /** Does a piece of work of the request that is under way, under a span of its own. @param name A fixed few words. */
  abstract run<T>(name: string, work: () => Promise<T>): Promise<T>;

  /** Headers that tell another service whose work is its own: none where nothing is traced. */
  abstract headers(): Readonly<Record<string, string>>;

  /** Sends what is left, and ends. */
  abstract stop(): Promise<void>;
}

/** Traces nothing, and costs nothing. */
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
