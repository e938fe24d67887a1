import { describe, expect, it } from 'vitest';
import { RenderError } from '../../src/renderer/image/render.errors.js';
import { RenderQueue } from '../../src/renderer/render-queue.js';

const LIMITS = { running: 1, waiting: 2, deadline: 10_000 };
const stays = (): AbortSignal => new AbortController().signal;

/** A render that the test completes or aborts. */
function held(): {
  render: (signal: AbortSignal) => Promise<string>;
  finish: () => void;
  started: () => number;
} {
  let started = 0;
  const finishers: (() => void)[] = [];
  return {
    started: () => started,
    finish: () => finishers.shift()?.(),
    render: (signal) => {
      started += 1;
      return new Promise((resolve, reject) => {
        finishers.push(() => {
          resolve('image');
        });
        signal.addEventListener('abort', () => {
          reject(signal.reason as Error);
        });
      });
    },
  };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the render queue', () => {
  it('renders a key once for all who ask for it at the same time', async () => {
    const queue = new RenderQueue<string>(LIMITS);
    const { render, finish, started } = held();
    const asked = [queue.run('a', stays(), render), queue.run('a', stays(), render)];
    await settle();
    finish();
    expect(await Promise.all(asked)).toStrictEqual(['image', 'image']);
    expect(started()).toBe(1);
  });

  it('renders a key again after it is done', async () => {
    const queue = new RenderQueue<string>(LIMITS);
    const { render, finish, started } = held();
    for (let time = 1; time <= 2; time += 1) {
      const asked = queue.run('a', stays(), render);
      await settle();
      finish();
      await asked;
      expect(started()).toBe(time);
    }
  });

  it('runs as many as it may, keeps some waiting and refuses the rest with 503', async () => {
    const queue = new RenderQueue<string>(LIMITS);
    const { render, finish, started } = held();
    const asked = ['a', 'b', 'c'].map((key) => queue.run(key, stays(), render));
    await expect(queue.run('d', stays(), render)).rejects.toThrow(RenderError);
    await settle();
    expect(started()).toBe(1);
    for (let time = 1; time <= 3; time += 1) {
      finish();
      await settle();
    }
    expect(await Promise.all(asked)).toStrictEqual(['image', 'image', 'image']);
    expect(started()).toBe(3);
  });

  it('gives its place on when a render fails', async () => {
    const queue = new RenderQueue<string>(LIMITS);
    const failed = queue.run('a', stays(), () => Promise.reject(new RenderError(400, 'no')));
    await expect(failed).rejects.toThrow('no');
    await expect(queue.run('b', stays(), () => Promise.resolve('yes'))).resolves.toBe('yes');
  });

  it('aborts a render when its last client has disconnected, and not before', async () => {
    const queue = new RenderQueue<string>(LIMITS);
    const { render } = held();
    const [one, two] = [new AbortController(), new AbortController()];
    const asked = [queue.run('a', one.signal, render), queue.run('a', two.signal, render)];
    const outcomes = Promise.allSettled(asked);
    await settle();
    one.abort();
    await settle();
    let done = false;
    void outcomes.then(() => (done = true));
    await settle();
    expect(done).toBe(false);
    two.abort();
    expect((await outcomes).map(({ status }) => status)).toStrictEqual(['rejected', 'rejected']);
  });

  it('has room again as soon as a waiting client has disconnected', async () => {
    const queue = new RenderQueue<string>(LIMITS);
    const { render, finish, started } = held();
    const left = new AbortController();
    const asked = [
      queue.run('a', stays(), render),
      queue.run('b', left.signal, render),
      queue.run('c', stays(), render),
    ];
    const outcomes = Promise.allSettled(asked);
    left.abort();
    const late = queue.run('d', stays(), render);
    for (let time = 1; time <= 3; time += 1) {
      await settle();
      finish();
    }
    expect((await outcomes).map(({ status }) => status)).toStrictEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    await expect(late).resolves.toBe('image');
    expect(started()).toBe(3);
  });

  it('still renders a key once when an aborted render of it ends late', async () => {
    const queue = new RenderQueue<string>(LIMITS);
    const { render, finish, started } = held();
    const left = new AbortController();
    const ended = new Promise<string>((resolve) => setTimeout(resolve, 20, 'late'));
    const first = queue.run('a', left.signal, () => ended);
    await settle();
    left.abort();
    const second = queue.run('a', stays(), render);
    await first;
    const third = queue.run('a', stays(), render);
    await settle();
    finish();
    expect(await Promise.all([second, third])).toStrictEqual(['image', 'image']);
    expect(started()).toBe(1);
  });

  it('hands no dying render to one who comes after the abort', async () => {
    const queue = new RenderQueue<string>(LIMITS);
    const { render } = held();
    const left = new AbortController();
    const first = queue.run('a', left.signal, render);
    await settle();
    left.abort();
    const second = queue.run('a', stays(), () => Promise.resolve('fresh'));
    await expect(first).rejects.toThrow(RenderError);
    await expect(second).resolves.toBe('fresh');
  });

  it('stops a render at its deadline with 503', async () => {
    const queue = new RenderQueue<string>({ ...LIMITS, deadline: 20 });
    const { render } = held();
    await expect(queue.run('a', stays(), render)).rejects.toMatchObject({ status: 503 });
  });
});
