import { describe, expect, inject, it } from 'vitest';
import { request } from '../support/http.js';
import { ownDatabase } from '../support/owned.js';
import { ownProcess, spawnBuilt } from '../support/service-process.js';
import { TEST_VARIABLES } from '../support/service.js';

const embedded = inject('database').kind === 'embedded';
const CLI = 'server/pixseal.js';

async function variablesOfDatabase(): Promise<Readonly<Record<string, string>>> {
  return { ...TEST_VARIABLES, ...(await ownDatabase()).variables };
}

describe.runIf(!embedded)('pixseal serve --workers', () => {
  it('exits with 1, and reports the reason once, if no worker can start', async () => {
    const variables = {
      ...(await variablesOfDatabase()),
      DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
    };
    const { code, stderr } = await spawnBuilt(CLI, variables, ['serve', '--workers', '2']).exited;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^(Pixseal did not start\. .+\n){1,2}$/);
  });
});

describe.runIf(embedded)('pixseal serve', () => {
  it('is the command of npm start, with one process', async () => {
    const service = await ownProcess(await variablesOfDatabase(), [CLI, 'serve']);
    expect((await request({ port: service.port, path: '/health/ready' })).status).toBe(200);
    service.kill('SIGTERM');
    expect(await service.exited).toMatchObject({ code: 0, signal: null, stderr: '' });
  });

  it('refuses several processes on the embedded database', async () => {
    const ended = await spawnBuilt(CLI, await variablesOfDatabase(), ['serve', '--workers', '2']).exited;
    expect(ended).toStrictEqual({
      code: 1,
      signal: null,
      stdout: '',
      stderr:
        'error: An embedded database belongs to one process. Set DATABASE_URL to a Postgres server, or omit --workers.\n',
    });
  });

  it.each(['0', '65', '-1', '2.5', 'many', ''])('refuses --workers %s', async (count) => {
    const { code, stderr } = await spawnBuilt(CLI, TEST_VARIABLES, ['serve', `--workers=${count}`]).exited;
    expect({ code, stderr }).toStrictEqual({
      code: 2,
      stderr: 'error: --workers must be a whole number from 1 to 64.\n',
    });
  });
});
