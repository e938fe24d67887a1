import {
  defaultTextMapGetter,
  defaultTextMapSetter,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Span,
  type Tracer,
} from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  RandomIdGenerator,
  SamplingDecision,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type Sampler,
} from '@opentelemetry/sdk-trace';
import type { IncomingMessage } from 'node:http';
import type { TracingSettings } from '../config/environment.js';
import { ProblemError } from '../../domain/problem.error.js';
import { withDeadline } from '../deadline.js';
import { type RequestSpan, type SpanOutcome, type TraceHeaders, Tracing } from './tracing.js';

/** Milliseconds for one export; at the shutdown, for all remaining spans. */
const EXPORT_TIMEOUT = 2_000;
/** Not needed: the samplers decide by trace ids and the caller's decision. */
const NO_ATTRIBUTES: Attributes = {};
const propagator = new W3CTraceContextPropagator();

/**
 * Sends spans to a collector over OTLP. Their attributes are a fixed list: routes' patterns, statuses, codes and issuers'
 * ids. No URL, header or error message: each may contain a token or a signed URL. Nothing is registered with
 * OpenTelemetry's globals, so that several services can run in one process.
 */
export class OtlpTracing extends Tracing {
  private readonly sampler: Sampler;
  private readonly ids = new RandomIdGenerator();
  /** The id of the next trace that starts here: the sampler decided by it. */
  private nextTraceId = '';
  private readonly provider: TracerProvider;
  private readonly tracer: Tracer;

  constructor(settings: TracingSettings) {
    super();
    this.sampler = createSampler(settings);
    const exporter = new OTLPTraceExporter({
      url: `${settings.endpoint}/v1/traces`,
      headers: { ...settings.headers },
      timeoutMillis: EXPORT_TIMEOUT,
    });
    this.provider = new TracerProvider({
      resource: resourceFromAttributes({ 'service.name': settings.serviceName }),
      // A span is started only for a request that is sampled.
      sampler: new AlwaysOnSampler(),
      idGenerator: {
        generateTraceId: () => this.nextTraceId,
        generateSpanId: () => this.ids.generateSpanId(),
      },
      spanProcessors: [new BatchSpanProcessor({ exporter, exportTimeoutMillis: EXPORT_TIMEOUT })],
    });
    this.tracer = this.provider.getTracer('pixseal');
  }

  start({ headers, method = '' }: IncomingMessage): RequestSpan | null {
    const caller =
      headers['traceparent'] === undefined
        ? ROOT_CONTEXT
        : propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter);
    const traceId = trace.getSpanContext(caller)?.traceId ?? this.ids.generateTraceId();
    const { decision } = this.sampler.shouldSample(
      caller,
      traceId,
      method,
      SpanKind.SERVER,
      NO_ATTRIBUTES,
      [],
    );
    if (decision !== SamplingDecision.RECORD_AND_SAMPLED) return null;
    this.nextTraceId = traceId;
    return new OtlpSpan(this.tracer, method, caller);
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

class OtlpSpan implements RequestSpan {
  private readonly span: Span;
  private readonly context: Context;

  constructor(
    private readonly tracer: Tracer,
    private readonly method: string,
    caller: Context,
  ) {
    const attributes = { 'http.request.method': method };
    this.span = tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, caller);
    this.context = trace.setSpan(caller, this.span);
  }

  async run<T>(name: string, work: (headers: TraceHeaders) => Promise<T>): Promise<T> {
    const span = this.tracer.startSpan(name, { kind: SpanKind.CLIENT }, this.context);
    const headers: Record<string, string> = {};
    propagator.inject(trace.setSpan(this.context, span), headers, defaultTextMapSetter);
    try {
      return await work(headers);
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      if (error instanceof ProblemError) span.setAttribute('pixseal.problem_code', error.code);
      throw error;
    } finally {
      span.end();
    }
  }

  end({ status, route, issuerId, problem }: SpanOutcome): void {
    const { span, method } = this;
    if (route !== null) span.updateName(`${method} ${route}`).setAttribute('http.route', route);
    span.setAttributes({
      'http.response.status_code': status,
      ...(problem === null ? {} : { 'pixseal.problem_code': problem.code }),
      ...(issuerId === null ? {} : { 'pixseal.issuer_id': issuerId }),
    });
    if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end();
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
