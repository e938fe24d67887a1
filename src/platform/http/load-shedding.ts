import { getHeapStatistics } from 'node:v8';
import { totalmem } from 'node:os';
import underPressure from '@fastify/under-pressure';
import type { FastifyInstance } from 'fastify';
import type { Environment } from '../config/environment.js';

/** When a process refuses more work. A bound of 0 is none. */
export interface PressureBounds {
  /** Mean delay of the event loop over a sample, in milliseconds: what every request waits at the least. */
  readonly maxEventLoopDelay: number;
  /** Bytes. */
  readonly maxHeapUsedBytes: number;
  /** Bytes. */
  readonly maxRssBytes: number;
  /** Milliseconds from one sample to the next, and so the shortest time that a refusal lasts. */
  readonly sampleInterval: number;
}

const MAX_DELAY = 1_000;
const SAMPLE = 1_000;
const MEMORY_SHARE = 0.9;

/**
 * The bounds of this process and its container. Utilisation of the event loop is none of them: at 1.0 a process does
 * all that its core can and is not behind yet; the delay tells when it is.
 */
export function pressureBounds({
  database,
  deliveryMode,
}: Pick<Environment, 'database' | 'deliveryMode'>): PressureBounds {
  // The embedded database and, in mode `local`, renders share the cores for seconds at times: that is no flood of requests.
  const alone = database.kind === 'postgres' && deliveryMode !== 'local';
  return {
    maxEventLoopDelay: alone ? MAX_DELAY : 0,
    maxHeapUsedBytes: Math.floor(MEMORY_SHARE * getHeapStatistics().heap_size_limit),
    maxRssBytes: Math.floor(MEMORY_SHARE * containerMemory()),
    sampleInterval: SAMPLE,
  };
}

/** Bytes that this process's control group has; 0 where it has no bound of its own. */
function containerMemory(): number {
  const bytes = process.constrainedMemory();
  return bytes > 0 && bytes < totalmem() ? bytes : 0;
}

/** Measures this process; `server.isUnderPressure()` then says whether a bound is passed. */
export function measurePressure(server: FastifyInstance, bounds: PressureBounds): void {
  // The request lifecycle refuses, before the router.
  server.register(underPressure, { ...bounds, pressureHandler: () => undefined });
}
