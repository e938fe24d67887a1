import { AsyncLocalStorage } from 'node:async_hooks';
import {
  defaultTextMapGetter,
  defaultTextMapSetter,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
} from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type Sampler,
} from '@opentelemetry/sdk-trace';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { TracingSettings } from '../config/environment.js';
import type { Exchange } from '../http/exchange.js';
import { ProblemError } from '../../domain/problem.error.js';
import { withDeadline } from '../deadline.js';
import { Tracing } from './tracing.js';

/** Milliseconds for one export; at the shutdown, for all remaining spans. */
const EXPORT_TIMEOUT = 2_000;
/**
 * Sends spans to a collector over OTLP. Their attributes are a fixed list: routes' patterns, statuses, codes and issuers'
 * ids. No URL, header or error message: each may contain a token or a signed URL. Nothing is registered with
 * OpenTelemetry's globals, so that several services can run in one process.
 */
export class OtlpTracing extends Tracing {
  readonly isOn = true;
  private readonly contexts = new AsyncLocalStorage<Context>();
  private readonly requests = new WeakMap<IncomingMessage, Context>();
  private readonly propagator = new W3CTraceContextPropagator();
  private readonly provider: TracerProvider;
  private readonly tracer;

  constructor(settings: TracingSettings) {
    super();
    const exporter = new OTLPTraceExporter({
      url: `${settings.endpoint}/v1/traces`,
      headers: { ...settings.headers },
      timeoutMillis: EXPORT_TIMEOUT,
    });
    this.provider = new TracerProvider({
      resource: resourceFromAttributes({ 'service.name': settings.serviceName }),
      sampler: createSampler(settings),
      spanProcessors: [new BatchSpanProcessor({ exporter, exportTimeoutMillis: EXPORT_TIMEOUT })],
    });
    this.tracer = this.provider.getTracer('pixseal');
  }

  start(exchange: Exchange, handle: () => void): void {
    const { request } = exchange;
    const caller = this.propagator.extract(ROOT_CONTEXT, request.headers, defaultTextMapGetter);
    const method = request.method ?? '';
    const attributes = { 'http.request.method': method };
    const span = this.tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, caller);
    const context = trace.setSpan(caller, span);
    this.requests.set(request, context);
    this.contexts.run(context, handle);
  }

  end({ request, status, route, issuerId, problem }: Exchange): void {
    const context = this.requests.get(request);
    const span = context && trace.getSpan(context);
    if (span === undefined) return;
    if (route !== null) span.updateName(`${request.method ?? ''} ${route}`).setAttribute('http.route', route);
    span.setAttributes({
      'http.response.status_code': status,
      ...(problem === null ? {} : { 'pixseal.problem_code': problem.code }),
      ...(issuerId === null ? {} : { 'pixseal.issuer_id': issuerId }),
    });
    if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end();
  }

  enterHandlers(server: FastifyInstance): void {
    // Again: the code that reads a body runs in the connection's context.
    server.addHook('preHandler', (request, _reply, done) => {
      const context = this.requests.get(request.raw);
      if (context === undefined) done();
      else this.contexts.run(context, done);
    });
  }

  async run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const parent = this.contexts.getStore();
    // Outside of a request: a probe, a start.
    if (parent === undefined) return work();
    const span = this.tracer.startSpan(name, { kind: SpanKind.CLIENT }, parent);
    try {
      return await this.contexts.run(trace.setSpan(parent, span), work);
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      if (error instanceof ProblemError) span.setAttribute('pixseal.problem_code', error.code);
      throw error;
    } finally {
      span.end();
    }
  }

  headers(): Readonly<Record<string, string>> {
    const headers: Record<string, string> = {};
    const context = this.contexts.getStore();
    if (context !== undefined) this.propagator.inject(context, headers, defaultTextMapSetter);
    return headers;
  }

  async stop(): Promise<void> {
    // An unreachable collector must not keep the process from exiting.
    await withDeadline(
      this.provider.shutdown().catch(() => undefined),
      EXPORT_TIMEOUT,
      () => undefined,
    );
  }
}

/** As the SDK reads `OTEL_TRACES_SAMPLER`. */
function createSampler({ sampler, ratio }: TracingSettings): Sampler {
  const name = sampler.replace('parentbased_', '');
  const root =
    name === 'always_off'
      ? new AlwaysOffSampler()
      : name === 'traceidratio'
        ? new TraceIdRatioBasedSampler(ratio)
        : new AlwaysOnSampler();
  return name === sampler ? root : new ParentBasedSampler({ root });
}
