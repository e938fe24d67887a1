import { getHeapStatistics } from 'node:v8';
import { totalmem } from 'node:os';
import underPressure from '@fastify/under-pressure';
import type { FastifyInstance } from 'fastify';
import type { Environment } from '../config/environment.js';

/** Beyond these bounds a process refuses requests. 0 disables a bound. */
export interface PressureBounds {
  /** Mean delay of the event loop over a sample, in milliseconds: the least time that a request waits. */
  readonly maxEventLoopDelay: number;
  /** Bytes. */
  readonly maxHeapUsedBytes: number;
  /** Bytes. */
  readonly maxRssBytes: number;
  /** Milliseconds from one sample to the next: the shortest period of refusals. */
  readonly sampleInterval: number;
}

const MAX_DELAY = 1_000;
const SAMPLE = 1_000;
const MEMORY_SHARE = 0.9;

/**
 * The bounds of this process and its container. Utilisation of the event loop is not one: at 1.0 a process uses its core
 * fully without a backlog; the delay shows a backlog.
 */
export function pressureBounds({
  database,
  deliveryMode,
}: Pick<Environment, 'database' | 'deliveryMode'>): PressureBounds {
  // The embedded database and, in mode `local`, renders can occupy the cores for seconds, without a flood of requests.
  const alone = database.kind === 'postgres' && deliveryMode !== 'local';
  return {
    maxEventLoopDelay: alone ? MAX_DELAY : 0,
    maxHeapUsedBytes: Math.floor(MEMORY_SHARE * getHeapStatistics().heap_size_limit),
    maxRssBytes: Math.floor(MEMORY_SHARE * containerMemory()),
    sampleInterval: SAMPLE,
  };
}

/** The memory limit of this process's control group in bytes; 0 for none. */
function containerMemory(): number {
  const bytes = process.constrainedMemory();
  return bytes > 0 && bytes < totalmem() ? bytes : 0;
}

/** Measures this process; `server.isUnderPressure()` then returns whether a bound is exceeded. */
export function measurePressure(server: FastifyInstance, bounds: PressureBounds): void {
  // The request lifecycle refuses requests, before the router.
  server.register(underPressure, { ...bounds, pressureHandler: () => undefined });
}
