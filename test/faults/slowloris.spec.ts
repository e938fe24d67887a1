import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { REQUEST_LIMITS } from '../../src/platform/http/request-limits.js';
import { FIGURE } from '../support/figures.reporter.js';
import { createSeedTenant } from '../support/seed.js';
import { NO_PRESSURE, startService } from '../support/service.js';

describe('500 half-open requests', () => {
  const TIMEOUT = 1_500;
  const PARTS = [
    '',
    'GET /images/x',
    'GET /images/x?token=a.b.c HTTP/1.1\r\nHost: x\r\nX-Slow: ',
    'POST /deliveries HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
  ];

  it('are closed by the timeouts, and no other client waits for them', async ({ annotate }) => {
    const { http, ...rest } = REQUEST_LIMITS;
    const service = await startService({}, undefined, {
      pressure: NO_PRESSURE,
      requests: {
        ...rest,
        requestTimeout: TIMEOUT,
        http: { ...http, headersTimeout: TIMEOUT - 500, connectionsCheckingInterval: 100 },
      },
    });
    onTestFinished(() => service.close());
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
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    // As slowloris does: a byte at intervals, so that no connection is ever idle.
    const trickle = setInterval(() => {
      for (const [index, socket] of sockets.entries()) {
        if (index % PARTS.length >= 2 && socket.writable) socket.write('a');
      }
    }, 100);
    onTestFinished(() => {
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
    await annotate(
      `slowloris: slowest redirect beside 500 half-open requests ${slowest.toFixed(1)} ms`,
      FIGURE,
    );
  });

  it('time out after ten and thirty seconds in production, checked every second', () => {
    expect(REQUEST_LIMITS).toMatchObject({
      requestTimeout: 30_000,
      http: { headersTimeout: 10_000, connectionsCheckingInterval: 1_000 },
    });
  });
});
