import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { RedisRateLimitStorage } from '../../../src/platform/rate-limit/redis-rate-limit.storage.js';
import { findFreePort } from '../../support/postgres-server.js';
import {
  findRedis,
  limitKey,
  startRedis,
  waitUntilShared,
  type RedisServer,
} from '../../support/redis-server.js';

const binary = findRedis();
const RATE = { limit: 5, ttl: 60_000 };
const POLL = { timeout: 10_000 };

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

/** Waits until a storage reports to a server. */
async function shared(storage: RedisRateLimitStorage, server: RedisServer): Promise<void> {
  const caller = `probe ${randomUUID()}`;
  await waitUntilShared(server, caller, () => storage.consume(caller, { limit: 1_000, ttl: 60_000 }));
}

async function openShared(server: RedisServer, count: number): Promise<readonly RedisRateLimitStorage[]> {
  const storages = Array.from({ length: count }, () => open(server.url));
  await Promise.all(storages.map((storage) => shared(storage, server)));
  return storages;
}

/** Waits until a storage refuses a caller without consuming. */
async function refused(storage: RedisRateLimitStorage, key: string, rate = RATE): Promise<void> {
  await expect.poll(() => storage.consume(key, rate, 0).refused, POLL).toBe(true);
}

function countUntilRefused(storage: RedisRateLimitStorage, key: string, rate = RATE): number {
  let spent = 0;
  while (!storage.consume(key, rate).refused) spent += 1;
  return spent;
}

/** The number of scripts that a server ran. */
async function scriptsOf(server: RedisServer): Promise<number> {
  const stats = String(await server.call('INFO', 'commandstats'));
  return [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce(
    (sum, [, calls]) => sum + Number(calls),
    0,
  );
}

describe.runIf(binary !== null)('rates in Redis', () => {
  it('count a foreign value under one key as 0, and go on for all others', async () => {
    const server = await startServer();
    const [storage] = await openShared(server, 1);
    if (storage === undefined) throw new Error('no storage');
    await server.call('SET', limitKey('text'), 'zzz');
    await server.call('LPUSH', limitKey('list'), 'zzz');
    for (const key of ['text', 'list', 'other']) {
      expect(countUntilRefused(storage, key)).toBe(RATE.limit);
      await expect
        .poll(async () => server.call('GET', limitKey(key)).catch(() => null), POLL)
        .toMatch(/^\d+\.\d{6}$/);
    }
  });

  it('are one allowance for all replicas', async () => {
    const server = await startServer();
    const [first, ...others] = await openShared(server, 3);
    if (first === undefined) throw new Error('no storage');
    expect(countUntilRefused(first, 'shared')).toBe(5);
    await expect.poll(() => server.call('EXISTS', limitKey('shared')), POLL).toBe(1);
    for (const other of others) {
      // It receives the others' counts with its own report.
      expect(other.consume('shared', RATE).refused).toBe(false);
      await refused(other, 'shared');
      expect(other.consume('next', RATE).refused).toBe(false);
    }
  });

  it('are exceeded by at most one allowance for each replica, and repaid', async () => {
    const server = await startServer();
    const replicas = await openShared(server, 3);
    const rate = { limit: 100, ttl: 600_000 };
    // All in one turn of the event loop: no report can be sent in between.
    expect(replicas.map((replica) => countUntilRefused(replica, 'burst', rate))).toStrictEqual([
      100, 100, 100,
    ]);
    await Promise.all(replicas.map((replica) => shared(replica, server)));
    for (const replica of replicas) expect(replica.consume('burst', rate).refused).toBe(true);
    // One allowance of the excess is repaid, and not the third: no caller is refused for hours.
    const backlog = Number(await server.call('PTTL', limitKey('burst')));
    expect(backlog).toBeLessThanOrEqual(2 * rate.ttl);
    expect(backlog).toBeGreaterThan(1.9 * rate.ttl);
  });

  it('are a burst of the limit in one process, and then refilled evenly', async () => {
    const server = await startServer();
    const [storage] = await openShared(server, 1);
    if (storage === undefined) throw new Error('no storage');
    const rate = { limit: 4, ttl: 8_000 };
    // In two reports.
    expect([storage.consume('a', rate).refused, storage.consume('a', rate).refused]).toStrictEqual([
      false,
      false,
    ]);
    await shared(storage, server);
    expect(countUntilRefused(storage, 'a', rate)).toBe(2);
    await expect.poll(() => storage.consume('a', rate, 0).refused, POLL).toBe(false);
    expect(countUntilRefused(storage, 'a', rate)).toBe(1);
  });

  it('are only read by a cost of 0, and not reported for it', async () => {
    const server = await startServer();
    const [storage] = await openShared(server, 1);
    expect(storage?.consume('look', RATE, 0)).toStrictEqual({ refused: false, backlog: 0 });
    expect(storage?.consume('count', RATE)).toMatchObject({ refused: false });
    await expect.poll(() => server.call('EXISTS', limitKey('count')), POLL).toBe(1);
    expect(await server.call('EXISTS', limitKey('look'))).toBe(0);
  });

  it('are reported by caller, and 500 callers by one command', async () => {
    const server = await startServer();
    const [storage] = await openShared(server, 1);
    const rate = { limit: 100_000, ttl: 60_000 };
    const before = await scriptsOf(server);
    for (let index = 0; index < 10_000; index += 1) storage?.consume('one', rate);
    await expect.poll(() => server.call('EXISTS', limitKey('one')), POLL).toBe(1);
    expect((await scriptsOf(server)) - before).toBe(1);
    for (let index = 0; index < 1_001; index += 1) storage?.consume(`many ${index}`, RATE);
    await expect.poll(() => server.call('EXISTS', limitKey('many 1000')), POLL).toBe(1);
    expect((await scriptsOf(server)) - before).toBe(4);
  });

  it('are reported for a bounded number of callers, however many addresses an attacker has', async () => {
    const server = await startServer();
    const [storage] = await openShared(server, 1);
    await server.call('FLUSHALL');
    for (let index = 0; index < 30_000; index += 1) storage?.consume(`flood ${index}`, RATE);
    if (storage) await shared(storage, server);
    expect(await server.call('DBSIZE')).toBe(10_001);
    // Those of further callers are counted here.
    expect(storage && countUntilRefused(storage, 'flood 29999')).toBe(4);
  });

  it('are counted in memory when Redis is killed, and shared once it is back; what is refused stays so', async () => {
    const server = await startServer();
    const [storage] = await openShared(server, 1);
    if (storage === undefined) throw new Error('no storage');
    const log = watchLog();
    expect(countUntilRefused(storage, 'before')).toBe(5);
    await server.stop();
    expect(storage.consume('before', RATE).refused).toBe(true);
    expect(countUntilRefused(storage, 'during')).toBe(5);
    await expect.poll(() => log.warnings.length, POLL).toBe(1);
    await startServer(server.port);
    await shared(storage, server);
    expect(['before', 'during'].map((key) => storage.consume(key, RATE).refused)).toStrictEqual([true, true]);
    expect(countUntilRefused(storage, 'after')).toBe(5);
    await expect.poll(() => log.infos, POLL).toStrictEqual([RECOVERED]);
    expect(log.warnings).toStrictEqual([expect.stringMatching(/^Redis does not respond \(/)]);
  });

  it('are counted in memory while Redis does not respond, and shared once it does', async () => {
    const server = await startServer();
    const [storage] = await openShared(server, 1);
    if (storage === undefined) throw new Error('no storage');
    const log = watchLog();
    server.signal('SIGSTOP');
    await expect
      .poll(() => {
        storage.consume('during', { limit: 1_000_000, ttl: 60_000 });
        return log.warnings;
      }, POLL)
      .toStrictEqual(['Redis does not respond (Command timed out): rates are counted in this process alone']);
    expect(countUntilRefused(storage, 'alone')).toBe(5);
    server.signal('SIGCONT');
    await shared(storage, server);
    // Opened only now: a report of its own without a response would be a second warning.
    const [other] = await openShared(server, 1);
    expect(countUntilRefused(storage, 'after')).toBe(5);
    await expect.poll(() => server.call('EXISTS', limitKey('after')), POLL).toBe(1);
    expect(other?.consume('after', RATE).refused).toBe(false);
    if (other) await refused(other, 'after');
  });
});

const RECOVERED = 'Redis responds again: rates are counted for all replicas';

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

/** Consumes for a number of keys until a storage has logged a warning. */
async function warned(
  storage: RedisRateLimitStorage,
  log: { readonly warnings: readonly unknown[] },
): Promise<void> {
  await expect
    .poll(() => {
      for (let index = 0; index < 10; index += 1) storage.consume(`until warned ${index}`, RATE);
      return log.warnings.length;
    }, POLL)
    .toBe(1);
}

/** Two servers, each with half of the keys. The first has Pixseal's. */
async function startCluster(): Promise<readonly [RedisServer, RedisServer]> {
  const settings = ['--cluster-enabled', 'yes'];
  const servers = [await startServer(undefined, settings), await startServer(undefined, settings)] as const;
  const slot = Number(await servers[0].call('CLUSTER', 'KEYSLOT', limitKey('any')));
  const [low, high] = slot < 8_192 ? servers : servers.toReversed();
  await low.call('CLUSTER', 'ADDSLOTSRANGE', '0', '8191');
  await high.call('CLUSTER', 'ADDSLOTSRANGE', '8192', '16383');
  await servers[0].call('CLUSTER', 'MEET', '127.0.0.1', String(servers[1].port));
  for (const server of servers) {
    await expect
      .poll(async () => String(await server.call('CLUSTER', 'INFO')), { timeout: 20_000 })
      .toContain('cluster_state:ok');
  }
  return servers;
}

describe.runIf(binary !== null)('rates in a Redis of another kind', () => {
  it('are counted in memory with a server of a cluster that does not have the keys, logged once', async () => {
    const [owner, other] = await startCluster();
    const log = watchLog();
    const storage = open(other.url);
    await warned(storage, log);
    expect(countUntilRefused(storage, 'counted')).toBe(5);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    storage.consume('next', RATE);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(log).toStrictEqual({
      warnings: [
        'REDIS_URL leads to a Redis Cluster, and one primary is supported: rates are counted in this process alone',
      ],
      infos: [],
    });
    // All keys are on one server: there, nothing is missing.
    const [first, second] = await openShared(owner, 2);
    expect(first && countUntilRefused(first, 'shared')).toBe(5);
    await expect.poll(() => owner.call('EXISTS', limitKey('shared')), POLL).toBe(1);
    expect(second?.consume('shared', RATE).refused).toBe(false);
    if (second) await refused(second, 'shared');
    expect(log.warnings).toHaveLength(1);
  });

  it('are counted in memory with a replica, logged once, and in Redis once it is a primary', async () => {
    const primary = await startServer();
    const replica = await startServer(undefined, ['--replicaof', '127.0.0.1', String(primary.port)]);
    await expect
      .poll(async () => String(await replica.call('INFO', 'replication')), { timeout: 20_000 })
      .toContain('master_link_status:up');
    const log = watchLog();
    const storage = open(replica.url);
    await warned(storage, log);
    expect(countUntilRefused(storage, 'counted')).toBe(5);
    // It is tried again each second.
    for (let turn = 0; turn < 30; turn += 1) {
      expect(storage.consume(`turn ${turn}`, RATE).refused).toBe(false);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(log).toStrictEqual({
      warnings: [
        'REDIS_URL leads to a read-only replica of Redis, and not to its primary: rates are counted in this process alone',
      ],
      infos: [],
    });
    await replica.call('REPLICAOF', 'NO', 'ONE');
    await shared(storage, replica);
    await expect.poll(() => log.infos, POLL).toStrictEqual([RECOVERED]);
    expect(log.warnings).toHaveLength(1);
    expect(storage.consume('counted', RATE).refused).toBe(true);
  });
});

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
    await warned(storage, log);
    expect(countUntilRefused(storage, 'counted')).toBe(5);
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
    await warned(storage, log);
    expect(countUntilRefused(storage, 'counted')).toBe(5);
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
    await warned(storage, log);
    for (let turn = 0; turn < 20; turn += 1) {
      storage.consume(`turn ${turn}`, RATE);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(log).toStrictEqual({
      warnings: [
        'REDIS_URL ends with the number of a database that Redis does not have: rates are counted in this process alone',
      ],
      infos: [],
    });
    expect(await server.call('INFO', 'keyspace')).toBe('# Keyspace\r\n');

    // Nor once the client connects again.
    await server.call('CLIENT', 'KILL', 'TYPE', 'normal');
    await expect
      .poll(async () => {
        storage.consume('again', { limit: 1_000, ttl: 60_000 });
        return String(await server.call('CLIENT', 'LIST'));
      }, POLL)
      .toContain('cmd=select');
    expect(await server.call('INFO', 'keyspace')).toBe('# Keyspace\r\n');

    await server.stop();
    const larger = await startServer(server.port, ['--databases', '100']);
    await expect
      .poll(async () => {
        storage.consume('shared', { limit: 1_000, ttl: 60_000 });
        return String(await larger.call('INFO', 'keyspace'));
      }, POLL)
      .toMatch(/^# Keyspace\r\ndb99:keys=1,[^\n]*\r\n$/);
  });

  it('are counted in the database of the URL', async () => {
    const server = await startServer();
    const storage = open(`${server.url}/3`);
    await expect
      .poll(async () => {
        storage.consume('shared', { limit: 1_000, ttl: 60_000 });
        return String(await server.call('INFO', 'keyspace'));
      }, POLL)
      .toMatch(/^# Keyspace\r\ndb3:keys=1,[^\n]*\r\n$/);
  });

  it('are counted in Redis for a user who may run only the script', async () => {
    const server = await startServer();
    const commands = ['+eval', '+evalsha', '+info', '+time', '+get', '+set'];
    await server.call('ACL', 'SETUSER', 'pix', 'on', '>pw', '~*', '-@all', ...commands);
    const log = watchLog();
    const storage = open(server.url.replace('//', '//pix:pw@'));
    await shared(storage, server);
    expect(log).toStrictEqual({ warnings: [], infos: [] });
  });
});

describe('rates without a Redis', () => {
  it('are counted in memory', async () => {
    const storage = open(`redis://127.0.0.1:${await findFreePort()}`);
    expect(countUntilRefused(storage, 'a')).toBe(5);
  });
});
