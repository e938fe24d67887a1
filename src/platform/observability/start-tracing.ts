import type { TracingSettings } from '../config/environment.js';
import { NoTracing, type Tracing } from './tracing.js';

/** The SDK is loaded only where it is used: it needs a large part of a small process's memory. */
export async function startTracing(settings: TracingSettings | null): Promise<Tracing> {
  if (settings === null) return new NoTracing();
  const { OtlpTracing } = await import('./otlp-tracing.js');
  return new OtlpTracing(settings);
}
