import { Agent } from 'node:http';
import { connect } from 'node:net';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { request, type Answer } from '../support/http.js';
import { startRoundRobinProxy } from '../support/round-robin-proxy.js';
import { approveLocation } from '../support/location-parser.js';
import { sealWith } from '../support/seed.js';
import { spawnBuilt, startServiceProcess, type ServiceProcess } from '../support/service-process.js';
import { ADMIN_KEY, TEST_VARIABLES } from '../support/service.js';
import { createTestDatabase } from '../support/test-database.js';

const embedded = inject('database').kind === 'embedded';
const CLI = 'src/cli/pixseal.js';
/** On a machine that runs all suites at once. */
const PATIENTLY = { timeout: 30_000 };

const undo: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step();
});

async function variablesOfDatabase(): Promise<Readonly<Record<string, string>>> {
  const database = await createTestDatabase();
  undo.push(() => database.drop());
  return { ...TEST_VARIABLES, ...database.variables };
}

async function start(
  variables: Readonly<Record<string, string>>,
  program?: readonly string[],
): Promise<ServiceProcess> {
  const service = await startServiceProcess(variables, program);
  undo.push(async () => {
    service.kill('SIGKILL');
    await service.ended;
  });
  return service;
}

/** An issuer's image, made over the admin API: its path under a token. */
async function createPath({ port }: { readonly port: number }): Promise<string> {
  const post = async (path: string, body: unknown): Promise<unknown> => {
    const headers = { authorization: `Bearer ${ADMIN_KEY}` };
    const answer = await request({ port, path: `/admin${path}`, method: 'POST', body, headers });
    expect(answer.status).toBe(201);
    return answer.json();
  };
  const issuer = (await post('/issuers', { name: 'Served' })) as { id: string; key: { secret: string } };
  const image = (await post('/images', { issuer_id: issuer.id, public_id: 'served', version: 5 })) as {
    id: string;
  };
  const token = sealWith(issuer.key.secret, { iss: issuer.id, transformations: [{ width: 5 }] });
  return `/images/${image.id}?token=${token}`;
}

/** Clients that ask for one path again and again over kept connections, until they are told to stop. */
function load(
  port: number,
  path: string,
  clients = 16,
): { readonly stop: () => Promise<readonly string[]>; readonly count: () => number } {
  const agent = new Agent({ keepAlive: true });
  let stopped = false;
  let count = 0;
  const failures: string[] = [];
  const all = Array.from({ length: clients }, async () => {
    while (!stopped) {
      const outcome = await request({ port, path, agent }).then(
        ({ status, headers }) => {
          if (status !== 302) return `answered ${status}`;
          approveLocation(headers.location ?? '', { images: ['served'], layers: [], steps: 1 });
          return null;
        },
        (error: unknown) => String(error),
      );
      count += 1;
      if (outcome !== null) failures.push(outcome);
    }
  });
  return {
    count: () => count,
    stop: async () => {
      stopped = true;
      await Promise.all(all);
      agent.destroy();
      return failures;
    },
  };
}

describe('SIGTERM under load', () => {
  it('fails no request, tells balancers first, and ends within 10 s', async () => {
    const service = await start({ ...(await variablesOfDatabase()), DRAIN_SECONDS: '2' });
    const path = await createPath(service);
    const clients = load(service.port, path);
    await expect.poll(clients.count, PATIENTLY).toBeGreaterThan(100);

    // A request that is under way when the process is told to end, and goes on after its port is closed.
    const body = JSON.stringify({ deliveries: [{ image_id: 'x', token: 'a.b.c' }] });
    const slow = connect(service.port, '127.0.0.1');
    let received = '';
    slow.setEncoding('utf8').on('data', (text: string) => (received += text));
    const closed = new Promise((resolve) => slow.once('close', resolve));
    slow.write(
      `POST /deliveries HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    await request({ port: service.port, path: '/health/live' });

    const told = performance.now();
    service.kill('SIGTERM');
    const readiness = (): Promise<Answer> => request({ port: service.port, path: '/health/ready' });
    await expect.poll(async () => (await readiness()).status, { ...PATIENTLY, interval: 20 }).toBe(503);
    const drained = await readiness();
    expect(drained.json()).toMatchObject({ code: 'draining' });
    expect(drained.headers.connection).toBe('close');
    const before = clients.count();
    await expect.poll(clients.count, PATIENTLY).toBeGreaterThan(before + 20);
    // A balancer that saw the 503 sends nothing more.
    expect(await clients.stop()).toStrictEqual([]);
    await expect.poll(() => readiness().catch(() => null), { timeout: 10_000 }).toBeNull();
    slow.write(body);
    await closed;
    expect(received).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(await service.ended).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(performance.now() - told).toBeLessThan(10_000);
  });
});

describe.runIf(!embedded)('three replicas behind a balancer, on one Postgres', () => {
  it('serve what any of them was told, and lose no request when one ends under load', async () => {
    const variables = await variablesOfDatabase();
    const replicas = await Promise.all([1, 2, 3].map(() => start({ ...variables, DRAIN_SECONDS: '1' })));
    const proxy = await startRoundRobinProxy(replicas.map(({ port }) => port));
    undo.push(() => proxy.close());
    const [first, second] = replicas;
    if (first === undefined || second === undefined) throw new Error('no replicas');
    const path = await createPath(first);
    const clients = load(proxy.port, path);
    await expect.poll(clients.count, PATIENTLY).toBeGreaterThan(100);
    second.kill('SIGTERM');
    expect(await second.ended).toMatchObject({ code: 0, signal: null });
    const before = clients.count();
    await expect.poll(clients.count, PATIENTLY).toBeGreaterThan(before + 100);
    expect(await clients.stop()).toStrictEqual([]);
    for (const { port } of replicas) expect(proxy.answered.get(port)).toBeGreaterThan(20);
  });
});

describe.runIf(!embedded)('pixseal serve --workers', () => {
  const workersOf = ({ pid }: ServiceProcess): number[] =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);

  it('serves one port from several processes, starts a killed one again, and drains them all', async () => {
    const service = await start({ ...(await variablesOfDatabase()), LOG_LEVEL: 'info', DRAIN_SECONDS: '1' }, [
      CLI,
      'serve',
      '--workers',
      '3',
    ]);
    const listening = (): number => service.output().stdout.split('worker listens').length - 1;
    await expect.poll(listening, { timeout: 30_000 }).toBe(3);
    const workers = workersOf(service);
    expect(workers).toHaveLength(3);
    const path = await createPath(service);
    expect((await request({ port: service.port, path })).status).toBe(302);

    const [victim = 0] = workers;
    process.kill(victim, 'SIGKILL');
    await expect.poll(listening, { timeout: 30_000 }).toBe(4);
    expect(service.output().stdout).toContain('worker died, and is started again');
    expect(workersOf(service)).toHaveLength(3);
    expect(workersOf(service)).not.toContain(victim);

    const clients = load(service.port, path);
    await expect.poll(clients.count, PATIENTLY).toBeGreaterThan(100);
    const told = performance.now();
    service.kill('SIGTERM');
    await expect
      .poll(async () => (await request({ port: service.port, path: '/health/ready' })).status, {
        interval: 20,
      })
      .toBe(503);
    expect(await clients.stop()).toStrictEqual([]);
    expect(await service.ended).toMatchObject({ code: 0, signal: null });
    expect(performance.now() - told).toBeLessThan(10_000);
  });

  it('ends with 1, and says why once and for all, where no worker can start', async () => {
    const variables = {
      ...(await variablesOfDatabase()),
      DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
    };
    const { code, stderr } = await spawnBuilt(CLI, variables, ['serve', '--workers', '2']).ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^(Pixseal did not start\. .+\n){1,2}$/);
  });
});

describe.runIf(embedded)('pixseal serve', () => {
  it('is what npm start runs, with one process', async () => {
    const service = await start(await variablesOfDatabase(), [CLI, 'serve']);
    expect((await request({ port: service.port, path: '/health/ready' })).status).toBe(200);
    service.kill('SIGTERM');
    expect(await service.ended).toMatchObject({ code: 0, signal: null, stderr: '' });
  });

  it('refuses several processes on the embedded database', async () => {
    const ended = await spawnBuilt(CLI, await variablesOfDatabase(), ['serve', '--workers', '2']).ended;
    expect(ended).toStrictEqual({
      code: 1,
      signal: null,
      stdout: '',
      stderr:
        'error: The embedded database belongs to one process. Set DATABASE_URL to a Postgres server, or leave --workers out.\n',
    });
  });

  it.each(['0', '65', '-1', '2.5', 'many', ''])('refuses --workers %s', async (count) => {
    const { code, stderr } = await spawnBuilt(CLI, TEST_VARIABLES, ['serve', `--workers=${count}`]).ended;
    expect({ code, stderr }).toStrictEqual({
      code: 2,
      stderr: 'error: --workers must be a whole number from 1 to 64.\n',
    });
  });
});
