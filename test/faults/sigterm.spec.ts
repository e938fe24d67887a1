import { connect } from 'node:net';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { FIGURE } from '../support/figures.reporter.js';
import { request, type HttpResponse } from '../support/http.js';
import { startLoad } from '../support/load.js';
import { createServedImage, ownDatabase } from '../support/owned.js';
import { ownProcess } from '../support/service-process.js';
import { startRoundRobinProxy } from '../support/round-robin-proxy.js';
import { TEST_VARIABLES } from '../support/service.js';

/** On a machine that runs all suites at once. */
const LOAD_TIMEOUT = { timeout: 30_000 };

describe('SIGTERM', () => {
  it('finishes the request in flight, accepts no other, and exits with 0', async () => {
    const { variables } = await ownDatabase();
    const service = await ownProcess({ ...TEST_VARIABLES, ...variables });
    const body = JSON.stringify({ deliveries: [{ image_id: 'x', token: 'a.b.c' }] });
    const socket = connect(service.port, '127.0.0.1');
    let received = '';
    socket.setEncoding('utf8').on('data', (text: string) => (received += text));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(
      `POST /deliveries HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    socket.write(body.slice(0, 5));
    // The head has arrived once a later request on another connection has its response.
    await request({ port: service.port, path: '/health/live' });
    await new Promise((resolve) => setTimeout(resolve, 200));

    service.kill('SIGTERM');
    await expect
      .poll(
        () =>
          request({ port: service.port, path: '/health/live' }).then(
            ({ status }) => status,
            () => 0,
          ),
        {
          timeout: 10_000,
        },
      )
      .not.toBe(200);
    socket.write(body.slice(5));
    await closed;
    expect(received).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(received).toContain('"code":"invalid_token"');
    expect(await service.exited).toMatchObject({ code: 0, signal: null, stderr: '' });
  });

  it.each(['SIGTERM', 'SIGINT'] as const)(
    '%s stops an idle service, with connections kept alive',
    async (signal) => {
      const { variables } = await ownDatabase();
      const service = await ownProcess({ ...TEST_VARIABLES, ...variables });
      const idle = connect(service.port, '127.0.0.1');
      idle.on('error', () => undefined);
      await new Promise((resolve) => idle.once('connect', resolve));
      // One connection that was never used, and one that is kept alive after its response.
      await fetch(`${service.url}/health/ready`);
      service.kill(signal);
      expect(await service.exited).toMatchObject({ code: 0, signal: null, stderr: '' });
      idle.destroy();
    },
  );
});

describe('SIGTERM with a request that never completes', () => {
  it('stops the service all the same', async () => {
    const { variables } = await ownDatabase();
    const service = await ownProcess({ ...TEST_VARIABLES, ...variables });
    const socket = connect(service.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(
      'POST /deliveries HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
    );
    await request({ port: service.port, path: '/health/live' });
    service.kill('SIGTERM');
    expect(await service.exited).toMatchObject({ code: 0, signal: null });
    socket.destroy();
  });
});

describe('SIGTERM under load', () => {
  it('fails no request, turns unready first, and exits within 10 s', async ({ annotate }) => {
    const service = await ownProcess({
      ...TEST_VARIABLES,
      ...(await ownDatabase()).variables,
      DRAIN_SECONDS: '2',
    });
    const path = (await createServedImage(service)).path();
    const clients = startLoad(service.port, path);
    await expect.poll(clients.count, LOAD_TIMEOUT).toBeGreaterThan(100);

    // A request that is in progress when the process receives the signal, and continues after its port is closed.
    const body = JSON.stringify({ deliveries: [{ image_id: 'x', token: 'a.b.c' }] });
    const slow = connect(service.port, '127.0.0.1');
    let received = '';
    slow.setEncoding('utf8').on('data', (text: string) => (received += text));
    const closed = new Promise((resolve) => slow.once('close', resolve));
    slow.write(
      `POST /deliveries HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    await request({ port: service.port, path: '/health/live' });

    const signalled = performance.now();
    service.kill('SIGTERM');
    const readiness = (): Promise<HttpResponse> => request({ port: service.port, path: '/health/ready' });
    await expect.poll(async () => (await readiness()).status, { ...LOAD_TIMEOUT, interval: 20 }).toBe(503);
    const drained = await readiness();
    expect(drained.json()).toMatchObject({ code: 'draining' });
    expect(drained.headers.connection).toBe('close');
    const before = clients.count();
    await expect.poll(clients.count, LOAD_TIMEOUT).toBeGreaterThan(before + 20);
    // A balancer that saw the 503 sends nothing more.
    expect(await clients.stop()).toStrictEqual([]);
    await expect.poll(() => readiness().catch(() => null), { timeout: 10_000 }).toBeNull();
    slow.write(body);
    await closed;
    expect(received).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(await service.exited).toMatchObject({ code: 0, signal: null, stderr: '' });
    const took = performance.now() - signalled;
    expect(took).toBeLessThan(10_000);
    await annotate(`SIGTERM under load: ended after ${took.toFixed(0)} ms, with a drain of 2,000 ms`, FIGURE);
  });
});

describe.runIf(inject('database').kind === 'postgres')(
  'three replicas behind a balancer, on one Postgres',
  () => {
    it('serve each other’s writes, and fail no request when one stops under load', async () => {
      const { variables } = await ownDatabase();
      const replicas = await Promise.all(
        [1, 2, 3].map(() => ownProcess({ ...TEST_VARIABLES, ...variables, DRAIN_SECONDS: '1' })),
      );
      const proxy = await startRoundRobinProxy(replicas.map(({ port }) => port));
      onTestFinished(() => proxy.close());
      const [first, second] = replicas;
      if (first === undefined || second === undefined) throw new Error('no replicas');
      const path = (await createServedImage(first)).path();
      const clients = startLoad(proxy.port, path);
      await expect.poll(clients.count, LOAD_TIMEOUT).toBeGreaterThan(100);
      second.kill('SIGTERM');
      expect(await second.exited).toMatchObject({ code: 0, signal: null });
      const before = clients.count();
      await expect.poll(clients.count, LOAD_TIMEOUT).toBeGreaterThan(before + 100);
      expect(await clients.stop()).toStrictEqual([]);
      for (const { port } of replicas) expect(proxy.responses.get(port)).toBeGreaterThan(20);
    });
  },
);
