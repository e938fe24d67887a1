import cluster, { type Worker } from 'node:cluster';
import type { MetricObject } from 'prom-client';

/** Milliseconds that workers may take to answer: one that is starting or stuck is left out. */
const PATIENCE = 1_000;

type Reading = readonly MetricObject[];

/** What worker and supervisor say to each other. */
type Message =
  | { readonly pixseal: 'ask'; readonly id: number }
  | { readonly pixseal: 'read'; readonly id: number }
  | { readonly pixseal: 'reading'; readonly id: number; readonly reading: Reading }
  | { readonly pixseal: 'readings'; readonly id: number; readonly readings: readonly Reading[] };

let lastId = 0;
const asked = new Map<number, (readings: readonly Reading[]) => void>();

/**
 * What all workers have counted; null in a process that is none. The connection that asks may belong to any of them,
 * and each knows but its own numbers: the supervisor asks the others.
 */
export function requestWorkerMetrics(): Promise<readonly MetricObject[][]> | null {
  const { worker } = cluster;
  if (worker === undefined) return null;
  const id = (lastId += 1);
  return new Promise((resolve) => {
    asked.set(id, (readings) => {
      resolve(readings.map((reading) => [...reading]));
    });
    worker.send({ pixseal: 'ask', id } satisfies Message);
  });
}

/** Gives the supervisor this worker's numbers when it asks for them. */
export function serveWorkerMetrics(read: () => Promise<Reading>): void {
  const { worker } = cluster;
  worker?.on('message', (message: Message) => {
    if (message.pixseal === 'readings') {
      asked.get(message.id)?.(message.readings);
      asked.delete(message.id);
    } else if (message.pixseal === 'read') {
      void read().then((reading) => {
        worker.send({ pixseal: 'reading', id: message.id, reading } satisfies Message);
      });
    }
  });
}

/** Passes the workers' numbers on to the one that asks. */
export function relayMetrics(): void {
  const waiting = new Map<number, (worker: Worker, reading: Reading) => void>();
  cluster.on('message', (asker, message: Message) => {
    if (message.pixseal === 'reading') waiting.get(message.id)?.(asker, message.reading);
    if (message.pixseal !== 'ask') return;
    const id = (lastId += 1);
    const readings: Reading[] = [];
    const left = new Set(Object.values(cluster.workers ?? {}).filter((worker) => worker?.isConnected()));
    const finish = (): void => {
      clearTimeout(timer);
      waiting.delete(id);
      if (asker.isConnected())
        asker.send({ pixseal: 'readings', id: message.id, readings } satisfies Message);
    };
    const timer = setTimeout(finish, PATIENCE);
    waiting.set(id, (worker, reading) => {
      readings.push(reading);
      left.delete(worker);
      if (left.size === 0) finish();
    });
    for (const worker of left) worker?.send({ pixseal: 'read', id } satisfies Message);
  });
}
