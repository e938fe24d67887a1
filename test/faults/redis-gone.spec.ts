import { randomUUID } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { RateLimitStorage } from '../../src/platform/rate-limit/rate-limit.storage.js';
import type { HttpResponse } from '../support/http.js';
import { findRedis, limitKey, startRedis, waitUntilShared } from '../support/redis-server.js';
import { createTenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';
import { waitUntil } from '../support/wait-until.js';

const redis = findRedis();
const repeat = (status: number, count: number): number[] => Array.from({ length: count }, () => status);
const RATE = { limit: 6, ttl: 60_000 };
const PROBE_RATE = { limit: 1_000, ttl: 60_000 };

/** Statuses of a number of requests, one after the other. */
async function statuses(count: number, request: () => Promise<HttpResponse>): Promise<number[]> {
  const all: number[] = [];
  for (let index = 0; index < count; index += 1) all.push((await request()).status);
  return all;
}

async function startReplica(variables: Readonly<Record<string, string>>): Promise<Service> {
  const service = await startService(variables);
  onTestFinished(() => service.close());
  return service;
}

/** Creates an issuer with its rows, and returns requests for its image. */
async function createIssuer(service: Service, issuerId: string): Promise<() => Promise<HttpResponse>> {
  const name = issuerId.slice(0, 8);
  const tenant = await createTenant(service, { issuerId, publicId: `a${name}`, overlayPublicId: `b${name}` });
  return () => service.image(tenant.path());
}

describe.runIf(redis !== null)('rate limits in Redis', () => {
  it('are shared by all replicas, and in memory while Redis is unavailable: no redirect fails for it', async () => {
    const server = await startRedis(redis ?? '');
    onTestFinished(() => server.stop());
    const variables = { REDIS_URL: server.url, RATE_LIMIT_ISSUER: String(RATE.limit) };
    const service = await startReplica(variables);
    const other = await startReplica(variables);
    const [limits, otherLimits] = [service, other].map(({ app }) => app.get(RateLimitStorage));
    for (const storage of [limits, otherLimits]) {
      const caller = `issuer:${randomUUID()}`;
      await waitUntilShared(server, caller, () => storage?.consume(caller, PROBE_RATE));
    }

    const shared = randomUUID();
    const [mine, others] = [await createIssuer(service, shared), await createIssuer(other, shared)];
    expect(await statuses(8, mine)).toStrictEqual([...repeat(302, 6), 429, 429]);
    await waitUntil(
      'all of them are reported',
      async () =>
        Number(await server.call('PTTL', limitKey(`issuer:${shared}`))) > 5.5 * (RATE.ttl / RATE.limit),
    );
    // The other replica receives the shared count with its own report.
    expect((await others()).status).toBe(302);
    await waitUntil(
      'the other replica refuses',
      () => otherLimits?.consume(`issuer:${shared}`, RATE, 0).refused === true,
    );
    expect((await others()).status).toBe(429);

    const alone = await createIssuer(service, randomUUID());
    server.signal('SIGSTOP');
    const started = performance.now();
    expect(await statuses(4, alone)).toStrictEqual(repeat(302, 4));
    expect(performance.now() - started).toBeLessThan(5_000);
    await server.stop();
    expect(await statuses(3, alone)).toStrictEqual([302, 302, 429]);
    expect((await mine()).status).toBe(429);
    for (const replica of [service, other]) {
      expect((await replica.get('/health/ready')).status).toBe(200);
    }
  });
});
