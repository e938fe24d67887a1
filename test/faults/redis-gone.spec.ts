import { randomUUID } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { HttpResponse } from '../support/http.js';
import { findRedis, startRedis } from '../support/redis-server.js';
import { createTenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';

const redis = findRedis();
const repeat = (status: number, count: number): number[] => Array.from({ length: count }, () => status);

/** Statuses of a number of requests, one after the other. */
async function statuses(count: number, request: (index: number) => Promise<HttpResponse>): Promise<number[]> {
  const all: number[] = [];
  for (let index = 0; index < count; index += 1) all.push((await request(index)).status);
  return all;
}

async function startReplica(variables: Readonly<Record<string, string>>): Promise<Service> {
  const service = await startService(variables);
  onTestFinished(() => service.close());
  return service;
}

describe.runIf(redis !== null)('rate limits in Redis', () => {
  it('are shared by all replicas, and in memory while Redis is unavailable: no redirect fails for it', async () => {
    const server = await startRedis(redis ?? '');
    onTestFinished(() => server.stop());
    const variables = { REDIS_URL: server.url, RATE_LIMIT_ISSUER: '6' };
    const service = await startReplica(variables);
    const other = await startReplica(variables);
    const request = async (turn: number): Promise<(index: number) => Promise<HttpResponse>> => {
      const rows = { issuerId: randomUUID(), publicId: `a${turn}`, overlayPublicId: `b${turn}` };
      const [mine, others] = [await createTenant(service, rows), await createTenant(other, rows)];
      return (index) => (index % 2 === 0 ? service.image(mine.path()) : other.image(others.path()));
    };
    // Redis is used as soon as it is connected; on a busy machine its response may be late.
    for (let turn = 0; ; turn += 1) {
      const responses = await statuses(8, await request(turn));
      if (turn < 10 && responses.join() !== [...repeat(302, 6), 429, 429].join()) continue;
      expect(responses).toStrictEqual([...repeat(302, 6), 429, 429]);
      break;
    }
    const again = await request(100);
    server.signal('SIGSTOP');
    const started = performance.now();
    expect(await statuses(4, again)).toStrictEqual(repeat(302, 4));
    expect(performance.now() - started).toBeLessThan(5_000);
    await server.stop();
    expect((await again(0)).status).toBe(302);
    for (const replica of [service, other]) {
      expect((await replica.get('/health/ready')).status).toBe(200);
    }
  });
});
