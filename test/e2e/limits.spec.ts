import { randomUUID } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { TokenService } from '../../src/tokens/token.service.js';
import { IMAGE_HEADERS } from '../../src/delivery/response-headers.js';
import { REQUEST_LIMITS } from '../../src/problems/request-limits.js';
import { request, sendRaw, type Answer } from '../support/http.js';
import { findRedis, startRedis } from '../support/redis-server.js';
import { createSeedTenant, createTenant, type Tenant } from '../support/seed.js';
import { ADMIN_KEY, NO_PRESSURE, startService, type Service } from '../support/service.js';

const undo: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step();
});

async function start(...args: Parameters<typeof startService>): Promise<Service> {
  const service = await startService(...args);
  undo.push(() => service.close());
  return service;
}

/** Statuses of a number of requests, one after the other. */
async function statuses(count: number, ask: (index: number) => Promise<Answer>): Promise<number[]> {
  const all: number[] = [];
  for (let index = 0; index < count; index += 1) all.push((await ask(index)).status);
  return all;
}

const repeat = (status: number, count: number): number[] => Array.from({ length: count }, () => status);

function expectRefusal(answer: Answer, detail: RegExp): void {
  expect(answer.status).toBe(429);
  expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
  const { retry_after: seconds, ...body } = answer.json() as { retry_after: number };
  expect(body).toStrictEqual({
    type: 'about:blank',
    title: 'Too Many Requests',
    status: 429,
    code: 'too_many_requests',
    detail: expect.stringMatching(detail) as string,
  });
  expect(answer.headers['retry-after']).toBe(String(seconds));
  expect(seconds).toBeGreaterThanOrEqual(1);
  expect(seconds).toBeLessThanOrEqual(60);
}

describe('the limit by address', () => {
  // The tenant's own requests count too: issuer, image and overlay.
  const MADE = 3;

  async function startLimited(
    limit: number,
    variables: Readonly<Record<string, string>> = {},
  ): Promise<{ service: Service; tenant: Tenant }> {
    const service = await start({ RATE_LIMIT_ADDRESS: String(limit + MADE), ...variables });
    return { service, tenant: await createSeedTenant(service) };
  }

  it('refuses with the headers of the images, before the token is looked at', async () => {
    const { service, tenant } = await startLimited(3);
    const verify = vi.spyOn(service.app.get(TokenService), 'verify');
    const forged = `${tenant.path().slice(0, -4)}AAAA`;
    expect(await statuses(3, () => service.image(forged))).toStrictEqual(repeat(401, 3));
    expect(verify).toHaveBeenCalledTimes(3);
    const refused = await service.get(forged);
    expectRefusal(refused, /^Too many requests come from this address\. Ask again after \d+ s\.$/);
    for (const [name, value] of IMAGE_HEADERS) expect(refused.headers[name.toLowerCase()]).toBe(value);
    expect(await statuses(100, () => service.get(forged))).toStrictEqual(repeat(429, 100));
    expect((await service.get(tenant.path())).status).toBe(429);
    expect(verify).toHaveBeenCalledTimes(3);
  });

  it('holds for every route but those of health', async () => {
    const { service } = await startLimited(1);
    expect((await service.get('/nothing')).status).toBe(404);
    for (const path of ['/nothing', '/assets/blank.jpg', '/docs', '/admin/issuers', '/images/x/explain']) {
      expectRefusal(await service.get(path), /this address/);
    }
    for (const path of ['/health/live', '/health/ready']) expect((await service.get(path)).status).toBe(200);
  });

  it('refuses a body without reading it', async () => {
    const { service } = await startLimited(0);
    const { status, text } = await sendRaw(
      service.port,
      'POST /deliveries HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 5000000\r\n\r\n{',
    );
    expect(status).toBe(429);
    expect(text).toContain('too_many_requests');
  });

  it('counts every item of a batch', async () => {
    const { service, tenant } = await startLimited(10);
    const batch = (count: number): Promise<Answer> =>
      request({
        port: service.port,
        path: '/deliveries',
        method: 'POST',
        body: { deliveries: Array.from({ length: count }, () => ({ token: `${tenant.seal()}x` })) },
      });
    expect((await batch(8)).status).toBe(200);
    expect((await batch(5)).status).toBe(200);
    expectRefusal(await batch(1), /this address/);
    expectRefusal(await service.get(tenant.path()), /this address/);
  });

  it('is not evaded by X-Forwarded-For where no proxy is trusted', async () => {
    const { service, tenant } = await startLimited(5);
    const from = (index: number): Promise<Answer> =>
      service.get(tenant.path(), {
        'x-forwarded-for': `192.0.2.${index}`,
        forwarded: `for=192.0.2.${index}`,
      });
    expect(await statuses(8, from)).toStrictEqual([...repeat(302, 5), ...repeat(429, 3)]);
  });

  it('is each client’s own behind a trusted proxy, by what that proxy says and not by what the client does', async () => {
    const { service, tenant } = await startLimited(3, { TRUST_PROXY: '1' });
    const from = (forwarded: string): Promise<Answer> =>
      service.get(tenant.path(), { 'x-forwarded-for': forwarded });
    expect(await statuses(7, () => from('192.0.2.1'))).toStrictEqual([...repeat(302, 6), 429]);
    expect((await from('192.0.2.2')).status).toBe(302);
    // The proxy appends; what stands before is the client's own word.
    expect((await from('198.51.100.9, 192.0.2.1')).status).toBe(429);
    // One customer's network, whatever the address in it.
    const sixth = (index: number): Promise<Answer> => from(`2001:db8:1:2::${index}`);
    expect(await statuses(7, sixth)).toStrictEqual([...repeat(302, 6), 429]);
    expect((await from('2001:db8:1:3::1')).status).toBe(302);
    const nonsense = (index: number): Promise<Answer> => from(`nonsense-${index}`);
    expect(await statuses(7, nonsense)).toStrictEqual([...repeat(302, 6), 429]);
  });
});

describe('the limit by issuer', () => {
  it('counts what was verified, in every form, and nobody else’s', async () => {
    const service = await start({ RATE_LIMIT_ISSUER: '4' });
    const tenant = await createSeedTenant(service);
    const other = await createTenant(service, { publicId: 'other', overlayPublicId: 'other-mark' });
    const forged = `${tenant.path().slice(0, -4)}AAAA`;
    expect(await statuses(10, () => service.image(forged))).toStrictEqual(repeat(401, 10));
    expect((await service.image(tenant.path())).status).toBe(302);
    expect((await service.get(tenant.path().replace('?', '/explain?'))).status).toBe(200);
    const batch = await request({
      port: service.port,
      path: '/deliveries',
      method: 'POST',
      body: {
        deliveries: [
          ...repeat(0, 3).map(() => ({ image_id: tenant.imageId, token: tenant.seal() })),
          { image_id: other.imageId, token: other.seal() },
        ],
      },
    });
    const { deliveries } = batch.json() as {
      deliveries: { url?: string; problem?: { code: string; retry_after: number } }[];
    };
    expect(deliveries.map(({ url, problem }) => problem?.code ?? typeof url)).toStrictEqual([
      'string',
      'string',
      'too_many_requests',
      'string',
    ]);
    expect(deliveries[2]?.problem?.retry_after).toBe(15);
    const refused = await service.get(tenant.path());
    expectRefusal(refused, /^Too many requests come with tokens of this issuer/);
    for (const [name, value] of IMAGE_HEADERS) expect(refused.headers[name.toLowerCase()]).toBe(value);
    expect((await service.image(other.path())).status).toBe(302);
  });

  it('counts public images for who has them', async () => {
    const service = await start({ RATE_LIMIT_ISSUER: '2' });
    const tenant = await createTenant(service, { publicId: 'p', overlayPublicId: 'm', access: 'public' });
    const ask = (): Promise<Answer> => service.image(`/images/${tenant.imageId}`);
    expect(await statuses(3, ask)).toStrictEqual([302, 302, 429]);
  });
});

describe('the limit of failed admin keys', () => {
  it('refuses an address that guesses, and no other', async () => {
    const service = await start({ RATE_LIMIT_ADDRESS: '6000', TRUST_PROXY: '1' });
    const ask = (address: string, key: string): Promise<Answer> =>
      service.get('/admin/issuers', { authorization: `Bearer ${key}`, 'x-forwarded-for': address });
    const guess = (index: number): Promise<Answer> => ask('192.0.2.1', `guess-${index}`);
    expect(await statuses(60, guess)).toStrictEqual(repeat(401, 60));
    expectRefusal(await guess(61), /without a good admin key/);
    expect((await ask('192.0.2.2', ADMIN_KEY)).status).toBe(200);
  });

  it('does not count requests with a key', async () => {
    const service = await start();
    expect(await statuses(100, () => service.admin('GET', '/issuers'))).toStrictEqual(repeat(200, 100));
  });
});

const redis = findRedis();
describe.runIf(redis !== null)('limits in Redis', () => {
  it('are one for all replicas, and in memory when Redis is gone: no redirect fails for it', async () => {
    const server = await startRedis(redis ?? '');
    undo.push(() => server.stop());
    const variables = { REDIS_URL: server.url, RATE_LIMIT_ISSUER: '6' };
    const service = await start(variables);
    const other = await start(variables);
    const ask = async (turn: number): Promise<(index: number) => Promise<Answer>> => {
      const rows = { issuerId: randomUUID(), publicId: `a${turn}`, overlayPublicId: `b${turn}` };
      const [mine, others] = [await createTenant(service, rows), await createTenant(other, rows)];
      return (index) => (index % 2 === 0 ? service.image(mine.path()) : other.image(others.path()));
    };
    // Redis is asked from the moment it is connected; on a machine that is too busy, it may be late for an answer.
    for (let turn = 0; ; turn += 1) {
      const answers = await statuses(8, await ask(turn));
      if (turn < 10 && answers.join() !== [...repeat(302, 6), 429, 429].join()) continue;
      expect(answers).toStrictEqual([...repeat(302, 6), 429, 429]);
      break;
    }
    const again = await ask(100);
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

describe('an overloaded process', () => {
  it('refuses with 503 and Retry-After, says it lives, and serves again when it has caught up', async () => {
    const service = await start({}, undefined, {
      pressure: { ...NO_PRESSURE, maxEventLoopDelay: 400, sampleInterval: 500 },
    });
    const ask = (): Promise<Answer> => service.get('/images/00000000-0000-4000-8000-000000000000');
    const settled = { timeout: 30_000 };
    await expect.poll(async () => (await ask()).status, settled).toBe(401);
    let refused: Answer;
    do {
      // The loop is held for longer than a sample, as by too much work.
      const until = performance.now() + 3_000;
      while (performance.now() < until);
      refused = await ask();
    } while (refused.status !== 503);
    expect((await service.get('/health/live')).status).toBe(200);
    expect(refused.json()).toMatchObject({ code: 'overloaded', status: 503 });
    expect(refused.headers).toMatchObject({ 'retry-after': '1', p3p: expect.any(String) as string });
    await expect.poll(async () => (await ask()).status, settled).toBe(401);
  });

  it('is one whose memory is over its bound, too', async () => {
    const service = await start({}, undefined, {
      pressure: { ...NO_PRESSURE, maxRssBytes: 1_000_000, sampleInterval: 50 },
    });
    await expect.poll(async () => (await service.get('/health/ready')).status).toBe(503);
    expect((await service.get('/health/live')).status).toBe(200);
  });
});

describe('500 half-open requests', () => {
  const TIMEOUT = 1_500;
  const PARTS = [
    '',
    'GET /images/x',
    'GET /images/x?token=a.b.c HTTP/1.1\r\nHost: x\r\nX-Slow: ',
    'POST /deliveries HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
  ];

  it('are closed by the timeouts, and nobody else waits for them', async () => {
    const { http, ...rest } = REQUEST_LIMITS;
    const service = await start({}, undefined, {
      pressure: NO_PRESSURE,
      requests: {
        ...rest,
        requestTimeout: TIMEOUT,
        http: { ...http, headersTimeout: TIMEOUT - 500, connectionsCheckingInterval: 100 },
      },
    });
    const tenant = await createSeedTenant(service);
    expect((await service.image(tenant.path())).status).toBe(302);

    let open = 0;
    const sockets: Socket[] = [];
    await Promise.all(
      Array.from({ length: 500 }, async (_, index) => {
        const socket = connect(service.port, '127.0.0.1');
        sockets.push(socket);
        socket.on('error', () => undefined).resume();
        await new Promise((resolve) => socket.once('connect', resolve));
        open += 1;
        socket.once('close', () => (open -= 1));
        const part = PARTS[index % PARTS.length] ?? '';
        if (part !== '') socket.write(part);
      }),
    );
    undo.push(() => {
      for (const socket of sockets) socket.destroy();
    });
    // As slowloris does: a byte now and then, so that no connection is ever idle.
    const trickle = setInterval(() => {
      for (const [index, socket] of sockets.entries()) {
        if (index % PARTS.length >= 2 && socket.writable) socket.write('a');
      }
    }, 100);
    undo.push(() => {
      clearInterval(trickle);
    });

    let slowest = 0;
    for (let index = 0; open > 0 && index < 2_000; index += 1) {
      const started = performance.now();
      expect((await service.image(tenant.path())).status).toBe(302);
      slowest = Math.max(slowest, performance.now() - started);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(open).toBe(0);
    expect(slowest).toBeLessThan(1_000);
  });

  it('have ten and thirty seconds in production, looked at every second', () => {
    expect(REQUEST_LIMITS).toMatchObject({
      requestTimeout: 30_000,
      http: { headersTimeout: 10_000, connectionsCheckingInterval: 1_000 },
    });
  });
});
