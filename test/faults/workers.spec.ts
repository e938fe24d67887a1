import { readFileSync } from 'node:fs';
import { describe, expect, inject, it } from 'vitest';
import { request } from '../support/http.js';
import { startLoad } from '../support/load.js';
import { createServedImage, ownDatabase } from '../support/owned.js';
import { ownProcess, type ServiceProcess } from '../support/service-process.js';
import { TEST_VARIABLES } from '../support/service.js';

const CLI = 'server/pixseal.js';
/** On a machine that runs all suites at once. */
const LOAD_TIMEOUT = { timeout: 30_000 };

describe.runIf(inject('database').kind === 'postgres')('pixseal serve --workers', () => {
  const workersOf = ({ pid }: ServiceProcess): number[] =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);

  it('serves one port from several processes, restarts a killed one, and drains them all', async () => {
    const service = await ownProcess(
      { ...TEST_VARIABLES, ...(await ownDatabase()).variables, LOG_LEVEL: 'info', DRAIN_SECONDS: '1' },
      [CLI, 'serve', '--workers', '3'],
    );
    const listening = (): number => service.output().stdout.split('worker listens').length - 1;
    await expect.poll(listening, { timeout: 30_000 }).toBe(3);
    const workers = workersOf(service);
    expect(workers).toHaveLength(3);
    const path = (await createServedImage(service)).path();
    expect((await request({ port: service.port, path })).status).toBe(302);

    const [victim = 0] = workers;
    process.kill(victim, 'SIGKILL');
    await expect.poll(listening, { timeout: 30_000 }).toBe(4);
    expect(service.output().stdout).toContain('worker died, restarting it');
    expect(workersOf(service)).toHaveLength(3);
    expect(workersOf(service)).not.toContain(victim);

    const clients = startLoad(service.port, path);
    await expect.poll(clients.count, LOAD_TIMEOUT).toBeGreaterThan(100);
    const signalled = performance.now();
    service.kill('SIGTERM');
    await expect
      .poll(async () => (await request({ port: service.port, path: '/health/ready' })).status, {
        interval: 20,
      })
      .toBe(503);
    expect(await clients.stop()).toStrictEqual([]);
    expect(await service.exited).toMatchObject({ code: 0, signal: null });
    expect(performance.now() - signalled).toBeLessThan(10_000);
  });
});
