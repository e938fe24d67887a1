import type { IncomingMessage } from 'node:http';
import { ROOT_CONTEXT } from '@opentelemetry/api';
import { SamplingDecision, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import type { TracingSettings } from '../../../src/platform/config/environment.js';
import { startTracing } from '../../../src/platform/observability/start-tracing.js';
import { startCollector } from '../../support/collector.js';

/** A ratio of 0.5 samples traces of the first id, and not of the second one. */
const [LOW, HIGH] = ['00000000000000000000000000000001', '00000000000000000000000080000001'];
const PARENT = 'b7ad6b7169203331';

const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const satisfies readonly TracingSettings['sampler'][];

/** Starts and ends the spans of requests with these headers. @returns the spans that the collector received. */
async function trace(
  requests: readonly IncomingMessage['headers'][],
  { sampler, ratio }: Pick<TracingSettings, 'sampler' | 'ratio'>,
): Promise<readonly { readonly traceId: string; readonly parentSpanId: string }[]> {
  const collector = await startCollector();
  const tracing = await startTracing({
    ...{ endpoint: collector.url, headers: {}, serviceName: 'pixseal' },
    ...{ sampler, ratio },
  });
  for (const headers of requests) {
    tracing
      ?.start({ method: 'GET', headers } as IncomingMessage)
      ?.end({ status: 200, route: null, issuerId: null, problem: null });
  }
  await tracing?.stop();
  await collector.close();
  return collector.spans().map(({ traceId, parentSpanId }) => ({ traceId, parentSpanId }));
}

const continuing = (traceId: string, flags: string): IncomingMessage['headers'] => ({
  traceparent: `00-${traceId}-${PARENT}-${flags}`,
});

describe('a trace of the caller', () => {
  it.each([
    ['always_on', 0, { unsampled: [LOW, HIGH], sampled: [LOW, HIGH] }],
    ['always_off', 1, { unsampled: [], sampled: [] }],
    ['traceidratio', 0, { unsampled: [], sampled: [] }],
    ['traceidratio', 0.5, { unsampled: [LOW], sampled: [LOW] }],
    ['traceidratio', 1, { unsampled: [LOW, HIGH], sampled: [LOW, HIGH] }],
    ['parentbased_always_on', 0, { unsampled: [], sampled: [LOW, HIGH] }],
    ['parentbased_always_off', 1, { unsampled: [], sampled: [LOW, HIGH] }],
    ['parentbased_traceidratio', 0, { unsampled: [], sampled: [LOW, HIGH] }],
    ['parentbased_traceidratio', 1, { unsampled: [], sampled: [LOW, HIGH] }],
  ] as const)('is continued as %s of %d decides', async (sampler, ratio, expected) => {
    for (const [flags, ids] of [
      ['00', expected.unsampled],
      ['01', expected.sampled],
    ] as const) {
      const requests = [LOW, HIGH].map((id) => continuing(id, flags));
      const spans = await trace(requests, { sampler, ratio });
      expect(spans, flags).toStrictEqual(ids.map((traceId) => ({ traceId, parentSpanId: PARENT })));
    }
  });
});

describe('a new trace', () => {
  it.each(SAMPLERS.filter((sampler) => sampler.endsWith('traceidratio')))(
    'has the id by which %s selected it',
    async (sampler) => {
      const spans = await trace(
        Array.from({ length: 400 }, () => ({})),
        { sampler, ratio: 0.5 },
      );
      // Of 400, fewer than 100 or more than 300 have a probability below 1e-20.
      expect(spans.length).toBeGreaterThan(100);
      expect(spans.length).toBeLessThan(300);
      expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(spans.length);
      const selected = new TraceIdRatioBasedSampler(0.5);
      for (const { traceId, parentSpanId } of spans) {
        expect(parentSpanId).toBe('');
        expect(selected.shouldSample(ROOT_CONTEXT, traceId).decision).toBe(
          SamplingDecision.RECORD_AND_SAMPLED,
        );
      }
    },
  );

  it.each(SAMPLERS)(
    'starts with %s like one without a caller if the traceparent is malformed',
    async (sampler) => {
      const malformed = [
        'nonsense',
        '',
        continuing('0'.repeat(32), '01')['traceparent'],
        continuing(LOW.toUpperCase().replace('1', 'F'), '01')['traceparent'],
        `${String(continuing(LOW, '01')['traceparent'])}, ${String(continuing(HIGH, '01')['traceparent'])}`,
        `00-${LOW}-${'0'.repeat(16)}-01`,
        `ff-${LOW}-${PARENT}-01`,
        `00-${LOW}-${PARENT}-01-more`,
      ];
      for (const [ratio, isSampled] of [
        [0, sampler.endsWith('on')],
        [1, !sampler.endsWith('off')],
      ] as const) {
        const requests = malformed.map((traceparent) => ({ traceparent, tracestate: 'a=b' }));
        const spans = await trace(requests, { sampler, ratio });
        expect(spans).toHaveLength(isSampled ? malformed.length : 0);
        for (const { traceId, parentSpanId } of spans) {
          expect(parentSpanId).toBe('');
          expect([LOW, HIGH]).not.toContain(traceId);
        }
      }
    },
  );
});
