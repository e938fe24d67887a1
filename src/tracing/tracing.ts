import type { FastifyInstance } from 'fastify';

/** What is told of the service's work, to whoever collects traces. */
export abstract class Tracing {
  /** Gives every request of the server a span. */
  abstract watch(server: FastifyInstance): void;

  /** Does a piece of work of the request that is under way, under a span of its own. @param name A fixed few words. */
  abstract run<T>(name: string, work: () => Promise<T>): Promise<T>;

  /** Headers that tell another service whose work is its own: none where nothing is traced. */
  abstract headers(): Readonly<Record<string, string>>;

  /** Sends what is left, and ends. */
  abstract stop(): Promise<void>;
}

/** Traces nothing, and costs nothing. */
export class NoTracing extends Tracing {
  watch(): void {
    // There is nothing to watch for.
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
