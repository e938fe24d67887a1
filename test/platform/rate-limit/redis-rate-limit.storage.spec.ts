import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { RedisRateLimitStorage } from '../../../src/platform/rate-limit/redis-rate-limit.storage.js';
import { findFreePort } from '../../support/postgres-server.js';
import { findRedis, startRedis, type RedisServer } from '../../support/redis-server.js';

const binary = findRedis();
const RATE = { limit: 5, ttl: 60_000 };
const BOUND = 500;

const undo: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step();
});

async function startServer(
  port?: number,
  settings: readonly string[] = [],
  file?: string,
): Promise<RedisServer> {
  const server = await startRedis(binary ?? '', port, settings, undefined, file);
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

/** Waits until a storage sends requests to Redis: only then it returns promises. */
async function ready(storage: RedisRateLimitStorage): Promise<void> {
  await expect
    .poll(() => storage.consume('probe', RATE, 0) instanceof Promise, { timeout: 10_000 })
    .toBe(true);
}

async function countUntilRefused(storages: readonly RedisRateLimitStorage[], key: string): Promise<number> {
  for (let spent = 0; spent < 1_000; spent += 1) {
    const storage = storages[spent % storages.length];
    if (storage === undefined || (await storage.consume(key, RATE)).refused) return spent;
  }
  throw new Error('never refused');
}

describe.runIf(binary !== null)('rates in Redis', () => {
  it('are one allowance for all replicas', async () => {
    const { url } = await startServer();
    const replicas = [open(url), open(url), open(url)];
    await Promise.all(replicas.map(ready));
    expect(await countUntilRefused(replicas, 'shared')).toBe(5);
    for (const replica of replicas) expect((await replica.consume('shared', RATE)).refused).toBe(true);
    expect(await countUntilRefused(replicas, 'other')).toBe(5);
  });

  it('are enforced when all replicas consume at once', async () => {
    const { url } = await startServer();
    const replicas = [open(url), open(url), open(url)];
    await Promise.all(replicas.map(ready));
    const answers = await Promise.all(
      Array.from({ length: 300 }, async (_, index) => {
        const answer = await replicas[index % 3]?.consume('burst', { limit: 100, ttl: 600_000 });
        return answer?.refused;
      }),
    );
    // Requests whose response took longer than the wait were counted by their replica: none on an idle machine.
    expect(answers.filter((refused) => refused === false).length).toBeGreaterThanOrEqual(100);
    expect(answers.filter((refused) => refused === true).length).toBeGreaterThan(0);
  });

  it('are refilled evenly, and only read by a cost of 0', async () => {
    const { url } = await startServer();
    const storage = open(url);
    await ready(storage);
    const rate = { limit: 2, ttl: 2_000 };
    expect(await storage.consume('a', rate, 0)).toStrictEqual({ refused: false, backlog: 0 });
    await storage.consume('a', rate);
    await storage.consume('a', rate);
    const { refused, backlog } = await storage.consume('a', rate, 0);
    expect(refused).toBe(true);
    expect(backlog).toBeGreaterThan(1_000);
    expect(backlog).toBeLessThanOrEqual(2_000);
    await new Promise((resolve) => setTimeout(resolve, backlog - 900));
    expect(await storage.consume('a', rate)).toMatchObject({ refused: false });
  });

  it('are counted in memory when Redis is killed, and in Redis once it is back', async () => {
    const server = await startServer();
    const storage = open(server.url);
    await ready(storage);
    expect(await countUntilRefused([storage], 'before')).toBe(5);
    await server.stop();
    const started = performance.now();
    expect((await storage.consume('before', RATE)).refused).toBe(false);
    expect(await countUntilRefused([storage], 'during')).toBe(5);
    expect(performance.now() - started).toBeLessThan(BOUND);
    await startServer(server.port);
    await ready(storage);
    expect(await countUntilRefused([storage], 'after')).toBe(5);
  });

  it('delay a request for a bounded time if Redis does not respond, and the next ones not at all', async () => {
    const server = await startServer();
    const storage = open(server.url);
    await ready(storage);
    server.signal('SIGSTOP');
    const started = performance.now();
    const many = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => storage.consume(`k${index}`, RATE)),
    );
    expect(performance.now() - started).toBeLessThan(BOUND);
    expect(many.every(({ refused }) => !refused)).toBe(true);
    // For a second no request is sent to Redis.
    expect(storage.consume('next', RATE)).not.toBeInstanceOf(Promise);
    server.signal('SIGCONT');
    await ready(storage);
  });
});

/** Collects the log from now on. */
function watchLog(): { readonly warnings: unknown[]; readonly infos: unknown[] } {
  const log = { warnings: [] as unknown[], infos: [] as unknown[] };
  vi.spyOn(Logger.prototype, 'warn').mockImplementation((text: unknown) => void log.warnings.push(text));
  vi.spyOn(Logger.prototype, 'log').mockImplementation((text: unknown) => void log.infos.push(text));
  undo.push(() => {
    vi.restoreAllMocks();
  });
  return log;
}

async function ask(port: number, ...command: readonly [string, ...string[]]): Promise<unknown> {
  const client = new Redis(port, '127.0.0.1');
  try {
    const [name, ...args] = command;
    return await client.call(name, ...args);
  } finally {
    client.disconnect();
  }
}

/** Two servers, each with half of the keys. */
async function startCluster(): Promise<readonly RedisServer[]> {
  const settings = ['--cluster-enabled', 'yes'];
  const servers = [await startServer(undefined, settings), await startServer(undefined, settings)];
  const [first, second] = servers;
  if (first === undefined || second === undefined) throw new Error('no servers');
  await ask(first.port, 'CLUSTER', 'ADDSLOTSRANGE', '0', '8191');
  await ask(second.port, 'CLUSTER', 'ADDSLOTSRANGE', '8192', '16383');
  await ask(first.port, 'CLUSTER', 'MEET', '127.0.0.1', String(second.port));
  for (const { port } of servers) {
    await expect
      .poll(async () => String(await ask(port, 'CLUSTER', 'INFO')), { timeout: 20_000 })
      .toContain('cluster_state:ok');
  }
  return servers;
}

describe.runIf(binary !== null)('rates in a Redis of another kind', () => {
  it('are counted in memory after the first key that another server of a cluster has, logged once', async () => {
    const [server] = await startCluster();
    const log = watchLog();
    const storage = open(server?.url ?? '');
    await ready(storage);
    for (let index = 0; index < 200; index += 1) {
      expect((await storage.consume(`key ${index}`, RATE)).refused).toBe(false);
    }
    expect(log).toStrictEqual({
      warnings: [
        'REDIS_URL leads to a Redis Cluster, and one primary is supported: rates are counted in this process alone',
      ],
      infos: [],
    });
    // No request waits for it.
    expect(storage.consume('next', RATE)).not.toBeInstanceOf(Promise);
    expect(await countUntilRefused([storage], 'counted')).toBe(5);
  });

  it('are counted in memory with a replica, logged once, and in Redis once it is a primary', async () => {
    const primary = await startServer();
    const replica = await startServer(undefined, ['--replicaof', '127.0.0.1', String(primary.port)]);
    await expect
      .poll(async () => String(await ask(replica.port, 'INFO', 'replication')), { timeout: 20_000 })
      .toContain('master_link_status:up');
    const log = watchLog();
    const storage = open(replica.url);
    await ready(storage);
    expect(await countUntilRefused([storage], 'counted')).toBe(5);
    // It is tried again each second, and a cost of 0 succeeds.
    for (let turn = 0; turn < 3; turn += 1) {
      await ready(storage);
      await storage.consume('look', RATE, 0);
      expect((await storage.consume(`turn ${turn}`, RATE)).refused).toBe(false);
    }
    expect(log).toStrictEqual({
      warnings: [
        'REDIS_URL leads to a read-only replica of Redis, and not to its primary: rates are counted in this process alone',
      ],
      infos: [],
    });
    await ask(replica.port, 'REPLICAOF', 'NO', 'ONE');
    await expect
      .poll(
        async () => {
          await storage.consume('again', { limit: 1_000, ttl: 60_000 });
          return log.infos;
        },
        { timeout: 10_000 },
      )
      .toStrictEqual(['Redis responds again: rates are counted for all replicas']);
    expect(log.warnings).toHaveLength(1);
  });
});

/** Waits until a storage has logged a warning. */
async function warned(log: { readonly warnings: unknown[] }): Promise<void> {
  await expect.poll(() => log.warnings.length, { timeout: 10_000 }).toBeGreaterThan(0);
}

describe.runIf(binary !== null)('rates in a Redis that cannot count', () => {
  it('are counted in memory with a Sentinel, which the log names', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pixseal-sentinel-'));
    undo.push(() => {
      rmSync(folder, { recursive: true, force: true });
    });
    const settings = join(folder, 'sentinel.conf');
    writeFileSync(settings, 'protected-mode no\n');
    const { url } = await startServer(undefined, ['--sentinel'], settings);
    const log = watchLog();
    const storage = open(url);
    await warned(log);
    expect(await countUntilRefused([storage], 'counted')).toBe(5);
    expect(log).toStrictEqual({
      warnings: [
        'REDIS_URL leads to a Redis Sentinel, and one primary is supported: rates are counted in this process alone',
      ],
      infos: [],
    });
  });

  it('are counted in memory without the command for scripts, and no log line quotes the script', async () => {
    const { url } = await startServer(undefined, [
      ...['--rename-command', 'EVAL', '', '--rename-command', 'EVALSHA', ''],
    ]);
    const log = watchLog();
    const storage = open(url);
    await ready(storage);
    expect(await countUntilRefused([storage], 'counted')).toBe(5);
    expect(log.warnings).toStrictEqual([
      expect.stringMatching(
        /^REDIS_URL leads to a server that cannot count \(ERR unknown command ['`]eval(sha)?['`]\): rates are counted in this process alone$/i,
      ),
    ]);
  });

  it('are counted in memory if the database of the URL does not exist, and never in another', async () => {
    const server = await startServer();
    const log = watchLog();
    const storage = open(`${server.url}/99`);
    await warned(log);
    for (let turn = 0; turn < 20; turn += 1) {
      expect(storage.consume(`turn ${turn}`, RATE)).not.toBeInstanceOf(Promise);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(log).toStrictEqual({
      warnings: [
        'REDIS_URL ends with the number of a database that Redis does not have: rates are counted in this process alone',
      ],
      infos: [],
    });
    expect(await ask(server.port, 'INFO', 'keyspace')).toBe('# Keyspace\r\n');

    // Nor once the client connects again.
    await ask(server.port, 'CLIENT', 'KILL', 'TYPE', 'normal');
    await expect
      .poll(async () => String(await ask(server.port, 'CLIENT', 'LIST')), { timeout: 10_000 })
      .toContain('cmd=select');
    expect(storage.consume('again', RATE)).not.toBeInstanceOf(Promise);
    expect(await ask(server.port, 'INFO', 'keyspace')).toBe('# Keyspace\r\n');

    await server.stop();
    await startServer(server.port, ['--databases', '100']);
    await ready(storage);
    expect((await storage.consume('shared', RATE)).refused).toBe(false);
    expect(await ask(server.port, 'INFO', 'keyspace')).toContain('db99:keys=1');
  });

  it('are counted in the database of the URL', async () => {
    const server = await startServer();
    const storage = open(`${server.url}/3`);
    await ready(storage);
    expect(await countUntilRefused([storage], 'shared')).toBe(5);
    expect(await ask(server.port, 'INFO', 'keyspace')).toMatch(/^# Keyspace\r\ndb3:keys=1,[^\n]*\r\n$/);
  });

  it('are counted in Redis for a user who may run only the script', async () => {
    const server = await startServer();
    await ask(
      server.port,
      'ACL',
      'SETUSER',
      'pix',
      'on',
      '>pw',
      '~*',
      '-@all',
      '+eval',
      '+evalsha',
      '+info',
      '+time',
      '+get',
      '+set',
    );
    const log = watchLog();
    const storage = open(server.url.replace('//', '//pix:pw@'));
    await ready(storage);
    expect(await countUntilRefused([storage], 'shared')).toBe(5);
    expect(log).toStrictEqual({ warnings: [], infos: [] });
  });
});

describe('rates without a Redis', () => {
  it('are counted in memory without waiting', async () => {
    const storage = open(`redis://127.0.0.1:${await findFreePort()}`);
    const answers = Array.from({ length: 6 }, () => storage.consume('a', RATE));
    expect(answers.map((answer) => !(answer instanceof Promise) && answer.refused)).toStrictEqual([
      ...Array.from({ length: 5 }, () => false),
      true,
    ]);
  });
});
