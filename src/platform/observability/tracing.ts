import type { IncomingMessage } from 'node:http';

/** Trace context headers for a request to another service; empty if the request is not traced. */
export type TraceHeaders = Readonly<Record<string, string>>;

/** What the span of a request records when the response is closed. */
export interface SpanOutcome {
  readonly status: number;
  /** The route's pattern; null if none matched. */
  readonly route: string | null;
  readonly issuerId: string | null;
  readonly problem: { readonly code: string } | null;
}

/** The span of a sampled request. A request that is not sampled has none. */
export interface RequestSpan {
  /**
   * Runs a part of the request under a span of its own.
   * @param name One of a fixed set.
   * @param work Receives the headers for a request to another service.
   */
  run<T>(name: string, work: (headers: TraceHeaders) => Promise<T>): Promise<T>;
  end(outcome: SpanOutcome): void;
}

/** Decides which requests are traced, and sends their spans to a collector. */
export abstract class Tracing {
  /** Starts the span of a request; null if the request is not sampled. */
  abstract start(request: IncomingMessage): RequestSpan | null;

  /** Sends the remaining spans, and stops. */
  abstract stop(): Promise<void>;
}

const NO_HEADERS: TraceHeaders = {};

/**
 * Runs a part of a request under a span of its own if the request is sampled. Spans are passed as arguments and not by
 * `AsyncLocalStorage`: before Node 24 its first use makes Node track every promise of the process, and a request of the
 * same connection may inherit its context.
 */
export function runInSpan<T>(
  span: RequestSpan | null,
  name: string,
  work: (headers: TraceHeaders) => Promise<T>,
): Promise<T> {
  return span === null ? work(NO_HEADERS) : span.run(name, work);
}
