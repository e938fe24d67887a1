import { AsyncLocalStorage } from 'node:async_hooks';
import {
  defaultTextMapGetter,
  defaultTextMapSetter,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type Span,
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
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { TracingSettings } from '../config/environment.js';
import { ProblemError } from '../problems/problem.error.js';
import { Tracing } from './tracing.js';

/** Milliseconds for one export; at the end, for all that is left. */
const EXPORT_TIMEOUT = 2_000;
/** What balancers and Prometheus ask all day. */
const UNTRACED: ReadonlySet<string | undefined> = new Set(['/health/live', '/health/ready', '/metrics']);

/**
 * Sends spans to a collector over OTLP. What is in them is chosen here name by name: routes' patterns, statuses,
 * codes and issuers' ids. No URL, no header, no error's message: a token or a signed URL may be in each of those.
 * Nothing is registered with OpenTelemetry's globals, so several services in one process keep apart.
 */
export class OtlpTracing extends Tracing {
  private readonly contexts = new AsyncLocalStorage<Context>();
  private readonly requests = new WeakMap<FastifyRequest, Context>();
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
      sampler: makeSampler(settings),
      spanProcessors: [new BatchSpanProcessor({ exporter, exportTimeoutMillis: EXPORT_TIMEOUT })],
    });
    this.tracer = this.provider.getTracer('pixseal');
  }

  watch(server: FastifyInstance): void {
    server.addHook('onRequest', (request, _reply, done) => {
      this.open(request);
      done();
    });
    // Only now: what reads a body goes on in the connection's context.
    server.addHook('preHandler', (request, _reply, done) => {
      const context = this.requests.get(request);
      if (context === undefined) done();
      else this.contexts.run(context, done);
    });
    server.addHook('onResponse', (request, reply, done) => {
      this.close(request, reply);
      done();
    });
  }

  async run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const parent = this.contexts.getStore();
    // What no request asks for: a probe, a start.
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
    const late = new Promise<void>((resolve) => setTimeout(resolve, EXPORT_TIMEOUT).unref());
    // A collector that is gone must not keep a process from ending.
    await Promise.race([this.provider.shutdown().catch(() => undefined), late]);
  }

  private open(request: FastifyRequest): void {
    const { method } = request;
    const route = request.routeOptions.url;
    if (UNTRACED.has(route)) return;
    const caller = this.propagator.extract(ROOT_CONTEXT, request.headers, defaultTextMapGetter);
    const attributes = {
      'http.request.method': method,
      ...(route === undefined ? {} : { 'http.route': route }),
    };
    const name = route === undefined ? method : `${method} ${route}`;
    const span = this.tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, caller);
    this.requests.set(request, trace.setSpan(caller, span));
  }

  private close(request: FastifyRequest, reply: FastifyReply): void {
    const context = this.requests.get(request);
    if (context !== undefined) tellAnswer(trace.getSpan(context), request, reply.raw.statusCode);
  }
}

function tellAnswer(
  span: Span | undefined,
  { problemCode, issuerId }: FastifyRequest,
  statusCode: number,
): void {
  span?.setAttributes({
    'http.response.status_code': statusCode,
    ...(problemCode === null ? {} : { 'pixseal.problem_code': problemCode }),
    ...(issuerId === null ? {} : { 'pixseal.issuer_id': issuerId }),
  });
  if (statusCode >= 500) span?.setStatus({ code: SpanStatusCode.ERROR });
  span?.end();
}

/** As the SDK reads `OTEL_TRACES_SAMPLER`. */
function makeSampler({ sampler, ratio }: TracingSettings): Sampler {
  const name = sampler.replace('parentbased_', '');
  const root =
    name === 'always_off'
      ? new AlwaysOffSampler()
      : name === 'traceidratio'
        ? new TraceIdRatioBasedSampler(ratio)
        : new AlwaysOnSampler();
  return name === sampler ? root : new ParentBasedSampler({ root });
}
