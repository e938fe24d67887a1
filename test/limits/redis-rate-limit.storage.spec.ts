import { afterEach, describe, expect, it } from 'vitest';
import { RedisRateLimitStorage } from '../../src/limits/redis-rate-limit.storage.js';
import { findFreePort } from '../support/postgres-server.js';
import { findRedis, startRedis, type RedisServer } from '../support/redis-server.js';

const binary = findRedis();
const RATE = { limit: 5, ttl: 60_000 };
const BOUND = 500;

const undo: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step();
});

async function startServer(port?: number): Promise<RedisServer> {
  const server = await startRedis(binary ?? '', port);
  undo.push(() => server.stop());
  return server;
}

function open(url: string): RedisRateLimitStorage {
  const storage = new RedisRateLimitStorage(url);
  undo.push(() => {
    storage.onApplicationShutdown();
  });
  return storage;
}

/** Waits until a storage asks Redis: only then it waits for an answer. */
async function ready(storage: RedisRateLimitStorage): Promise<void> {
  await expect.poll(() => storage.spend('probe', RATE, 0) instanceof Promise, { timeout: 10_000 }).toBe(true);
}

async function countUntilRefused(storages: readonly RedisRateLimitStorage[], key: string): Promise<number> {
  for (let spent = 0; spent < 1_000; spent += 1) {
    const storage = storages[spent % storages.length];
    if (storage === undefined || (await storage.spend(key, RATE)).refused) return spent;
  }
  throw new Error('never refused');
}

describe.runIf(binary !== null)('rates in Redis', () => {
  it('are one allowance for all replicas', async () => {
    const { url } = await startServer();
    const replicas = [open(url), open(url), open(url)];
    await Promise.all(replicas.map(ready));
    expect(await countUntilRefused(replicas, 'shared')).toBe(5);
    for (const replica of replicas) expect((await replica.spend('shared', RATE)).refused).toBe(true);
    expect(await countUntilRefused(replicas, 'other')).toBe(5);
  });

  it('hold when all replicas spend at once', async () => {
    const { url } = await startServer();
    const replicas = [open(url), open(url), open(url)];
    await Promise.all(replicas.map(ready));
    const answers = await Promise.all(
      Array.from({ length: 300 }, async (_, index) => {
        const answer = await replicas[index % 3]?.spend('burst', { limit: 100, ttl: 600_000 });
        return answer?.refused;
      }),
    );
    // Answers that took longer than the wait were counted by their replica alone: none on an idle machine.
    expect(answers.filter((refused) => refused === false).length).toBeGreaterThanOrEqual(100);
    expect(answers.filter((refused) => refused === true).length).toBeGreaterThan(0);
  });

  it('are repaid evenly, and looked at without a charge', async () => {
    const { url } = await startServer();
    const storage = open(url);
    await ready(storage);
    const rate = { limit: 2, ttl: 2_000 };
    expect(await storage.spend('a', rate, 0)).toStrictEqual({ refused: false, debt: 0 });
    await storage.spend('a', rate);
    await storage.spend('a', rate);
    const { refused, debt } = await storage.spend('a', rate, 0);
    expect(refused).toBe(true);
    expect(debt).toBeGreaterThan(1_000);
    expect(debt).toBeLessThanOrEqual(2_000);
    await new Promise((resolve) => setTimeout(resolve, debt - 900));
    expect(await storage.spend('a', rate)).toMatchObject({ refused: false });
  });

  it('go on in memory when Redis is killed, and in Redis once it is back', async () => {
    const server = await startServer();
    const storage = open(server.url);
    await ready(storage);
    expect(await countUntilRefused([storage], 'before')).toBe(5);
    await server.stop();
    const started = performance.now();
    expect((await storage.spend('before', RATE)).refused).toBe(false);
    expect(await countUntilRefused([storage], 'during')).toBe(5);
    expect(performance.now() - started).toBeLessThan(BOUND);
    await startServer(server.port);
    await ready(storage);
    expect(await countUntilRefused([storage], 'after')).toBe(5);
  });

  it('hold a request for a bounded time only when Redis says nothing, and then not at all', async () => {
    const server = await startServer();
    const storage = open(server.url);
    await ready(storage);
    server.signal('SIGSTOP');
    const started = performance.now();
    const many = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => storage.spend(`k${index}`, RATE)),
    );
    expect(performance.now() - started).toBeLessThan(BOUND);
    expect(many.every(({ refused }) => !refused)).toBe(true);
    // For a second nobody asks: the answer is there at once.
    expect(storage.spend('next', RATE)).not.toBeInstanceOf(Promise);
    server.signal('SIGCONT');
    await ready(storage);
  });
});

describe('rates where Redis never was', () => {
  it('are counted in memory, and nothing waits', async () => {
    const storage = open(`redis://127.0.0.1:${await findFreePort()}`);
    const answers = Array.from({ length: 6 }, () => storage.spend('a', RATE));
    expect(answers.map((answer) => !(answer instanceof Promise) && answer.refused)).toStrictEqual([
      ...Array.from({ length: 5 }, () => false),
      true,
    ]);
  });
});
