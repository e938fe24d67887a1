import cluster, { type Worker } from 'node:cluster';
import type { MetricObject } from 'prom-client';

/** Milliseconds that a worker may take to respond; a starting or stuck one is omitted. */
const RESPONSE_TIMEOUT = 1_000;

type Reading = readonly MetricObject[];

/** Messages between worker and supervisor. */
type Message =
  | { readonly pixseal: 'request'; readonly id: number }
  | { readonly pixseal: 'read'; readonly id: number }
  | { readonly pixseal: 'reading'; readonly id: number; readonly reading: Reading }
  | { readonly pixseal: 'readings'; readonly id: number; readonly readings: readonly Reading[] };

let lastId = 0;
const pending = new Map<number, (readings: readonly Reading[]) => void>();

/**
 * The metrics of all workers; null in a process that is not a worker. The request may reach any worker, and each has
 * only its own numbers: the supervisor collects the others'.
 */
export function requestWorkerMetrics(): Promise<readonly MetricObject[][]> | null {
  const { worker } = cluster;
  if (worker === undefined) return null;
  const id = (lastId += 1);
  return new Promise((resolve) => {
    pending.set(id, (readings) => {
      resolve(readings.map((reading) => [...reading]));
    });
    worker.send({ pixseal: 'request', id } satisfies Message);
  });
}

/** Sends this worker's metrics to the supervisor on request. */
export function serveWorkerMetrics(read: () => Promise<Reading>): void {
  const { worker } = cluster;
  worker?.on('message', (message: Message) => {
    if (message.pixseal === 'readings') {
      pending.get(message.id)?.(message.readings);
      pending.delete(message.id);
    } else if (message.pixseal === 'read') {
      void read().then((reading) => {
        worker.send({ pixseal: 'reading', id: message.id, reading } satisfies Message);
      });
    }
  });
}

/** Forwards the workers' metrics to the one that requested them. */
export function relayMetrics(): void {
  const waiting = new Map<number, (worker: Worker, reading: Reading) => void>();
  cluster.on('message', (asker, message: Message) => {
    if (message.pixseal === 'reading') waiting.get(message.id)?.(asker, message.reading);
    if (message.pixseal !== 'request') return;
    const id = (lastId += 1);
    const readings: Reading[] = [];
    const left = new Set(Object.values(cluster.workers ?? {}).filter((worker) => worker?.isConnected()));
    const finish = (): void => {
      clearTimeout(timer);
      waiting.delete(id);
      if (asker.isConnected())
        asker.send({ pixseal: 'readings', id: message.id, readings } satisfies Message);
    };
    const timer = setTimeout(finish, RESPONSE_TIMEOUT);
    waiting.set(id, (worker, reading) => {
      readings.push(reading);
      left.delete(worker);
      if (left.size === 0) finish();
    });
    for (const worker of left) worker?.send({ pixseal: 'read', id } satisfies Message);
  });
}
