import type { TracingSettings } from '../config/environment.js';
import type { Tracing } from './tracing.js';

/** Null if nothing is traced. The SDK is loaded only where it is used: it needs a large part of a small process's memory. */
export async function startTracing(settings: TracingSettings | null): Promise<Tracing | null> {
  if (settings === null) return null;
  const { OtlpTracing } = await import('./otlp-tracing.js');
  return new OtlpTracing(settings);
}
