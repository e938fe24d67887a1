import { EventEmitter } from 'node:events';
import type { Worker } from 'node:cluster';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Workers } from '../../../src/operations/serve/workers.js';

/** A process as seen by the supervisor. */
class FakeWorker extends EventEmitter {
  readonly signals: string[] = [];
  readonly process: { readonly pid: number | undefined; readonly kill: (signal: string) => void };

  constructor(isMade = true) {
    super();
    this.process = { pid: isMade ? 1 : undefined, kill: (signal) => this.signals.push(signal) };
  }

  listen(): void {
    this.emit('listening');
  }

  die(): void {
    this.emit('exit', 1, null);
  }
}

const silent = { info: vi.fn(), warn: vi.fn(), error: vi.fn() };

function supervise(
  count: number,
  make: (count: number) => FakeWorker = () => new FakeWorker(),
): {
  readonly workers: Workers;
  readonly forked: readonly FakeWorker[];
  readonly last: () => FakeWorker;
  readonly exits: readonly number[];
} {
  const forked: FakeWorker[] = [];
  const exits: number[] = [];
  let asked = 0;
  const fork = (): Worker => {
    const worker = make((asked += 1));
    forked.push(worker);
    return worker as unknown as Worker;
  };
  const workers = new Workers(count, { fork, exit: (code) => exits.push(code) }, silent);
  workers.start();
  return { workers, forked, last: () => forked.at(-1) ?? new FakeWorker(), exits };
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe('workers', () => {
  it('are restarted with exponential backoff while they die soon, and at once after a long life', () => {
    const { forked, last } = supervise(1);
    last().listen();
    for (const pause of [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]) {
      const before = forked.length;
      last().die();
      vi.advanceTimersByTime(pause - 1);
      expect(forked).toHaveLength(before);
      vi.advanceTimersByTime(1);
      expect(forked).toHaveLength(before + 1);
    }
    vi.advanceTimersByTime(11_000);
    const before = forked.length;
    last().die();
    vi.advanceTimersByTime(100);
    expect(forked).toHaveLength(before + 1);
  });

  it('exit with 1 if none can start', () => {
    const { forked, exits } = supervise(2);
    forked[0]?.die();
    expect(forked[1]?.signals).toStrictEqual(['SIGTERM']);
    expect(exits).toStrictEqual([]);
    forked[1]?.die();
    expect(exits).toStrictEqual([1]);
    vi.advanceTimersByTime(60_000);
    expect(forked).toHaveLength(2);
  });

  it('are stopped once, and killed if they do not exit', () => {
    const { workers, forked, exits } = supervise(2);
    for (const worker of forked) worker.listen();
    workers.stop(5_000);
    workers.stop(5_000);
    forked[0]?.die();
    expect(forked.map(({ signals }) => signals)).toStrictEqual([['SIGTERM'], ['SIGTERM']]);
    vi.advanceTimersByTime(16_999);
    expect(exits).toStrictEqual([]);
    vi.advanceTimersByTime(1);
    expect(forked[1]?.signals).toStrictEqual(['SIGTERM', 'SIGKILL']);
    forked[1]?.die();
    expect(exits).toStrictEqual([0]);
    expect(forked).toHaveLength(2);
  });

  it('are not restarted after the stop', () => {
    const { workers, forked, exits } = supervise(1);
    forked[0]?.listen();
    forked[0]?.die();
    workers.stop(0);
    expect(exits).toStrictEqual([0]);
    vi.advanceTimersByTime(60_000);
    expect(forked).toHaveLength(1);
  });

  it('are retried with backoff if the system refuses a process, without affecting the others', () => {
    const { forked, workers, exits } = supervise(2, (count) => {
      if (count === 3) return new FakeWorker(false);
      if (count === 4) throw new Error('spawn ENOMEM');
      return new FakeWorker();
    });
    forked[0]?.listen();
    forked[1]?.listen();
    forked[0]?.die();
    vi.advanceTimersByTime(200);
    expect(forked).toHaveLength(3);
    forked[2]?.emit('error', new Error('spawn EAGAIN'));
    vi.advanceTimersByTime(400);
    vi.advanceTimersByTime(800);
    expect(forked).toHaveLength(4);
    forked[3]?.listen();
    // It runs and did not get the signal: it has not exited.
    forked[1]?.emit('error', new Error('kill EPERM'));
    vi.advanceTimersByTime(60_000);
    expect(forked).toHaveLength(4);
    workers.stop(0);
    expect(forked.map(({ signals }) => signals)).toStrictEqual([[], ['SIGTERM'], [], ['SIGTERM']]);
    expect(exits).toStrictEqual([]);
  });

  it('exit with 1 if the first could not be created', () => {
    const { exits } = supervise(1, () => {
      throw new Error('spawn ENOMEM');
    });
    expect(exits).toStrictEqual([1]);
  });
});
