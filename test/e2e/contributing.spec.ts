import { execFile, execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { findFreePort } from '../support/postgres-server.js';
import { readBlocks } from '../support/readme.js';
import { ownDatabase } from '../support/owned.js';
import { waitUntil } from '../support/wait-until.js';

/** Milliseconds: each command builds the service. */
const TIMEOUT = 300_000;

const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  scripts: Readonly<Record<string, string>>;
};
const ci = readFileSync('.ci/run', 'utf8');

const commands = [...readBlocks('CONTRIBUTING.md')]
  .filter(([place]) => / \/ sh \d+$/.test(place))
  .flatMap(([, text]) => text.trim().split('\n'))
  .map((line) => line.replace(/\s+#.*$/, ''));

/** Commands that a test below runs. */
const RUN_HERE: readonly string[] = [
  'npm run dev',
  'npm test -- test/tokens',
  "npm test -- test/tokens -t 'accepted token'",
  'DATABASE_URL=postgres://… npm run migration:run',
  'DATABASE_URL=postgres://… npm run migration:revert',
];

/** Commands that test/release.spec.ts runs. */
const RUN_BY_RELEASE: readonly string[] = ['npm run release', 'sha256sum --check SHA256SUMS'];

/** Commands of which another one that CI runs is the whole, with the script that both run. */
const PART_OF: Readonly<Record<string, readonly [whole: string, script: string]>> = {
  'npm run typecheck': ['npm run check', 'npm run --silent typecheck'],
  'npm run lint': ['npm run check', 'npm run --silent lint'],
  'npm run format': ['npm run check', 'prettier --check .'],
  'npm test -- --project unit': ['npm test', 'vitest run'],
  'npm test -- --project postgres test/e2e/seed': ['npm test', 'vitest run'],
  'npm run test:faults': ['npm test', 'vitest run'],
};

/** A copy of the checkout, whose `dist` no other test uses. */
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pixseal-contributing-'));
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    encoding: 'utf8',
  });
  for (const file of files.split('\0').filter((path) => path !== '' && existsSync(path))) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(file, join(folder, file));
  }
  symlinkSync(join(process.cwd(), 'node_modules'), join(folder, 'node_modules'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** As a shell of a contributor has them. */
function environment(variables: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], HOME: process.env['HOME'], NO_COLOR: '1', ...variables };
}

/** Runs a command line in the copy. @throws if it fails. */
async function run(line: string, variables?: Readonly<Record<string, string>>): Promise<string> {
  const { stdout } = await promisify(execFile)('sh', ['-c', line], {
    cwd: folder,
    env: environment(variables),
  });
  return stdout;
}

describe('every command of CONTRIBUTING.md', () => {
  it.each(commands.filter((command) => ![...RUN_HERE, ...RUN_BY_RELEASE].includes(command)))(
    '%s is run, or exists',
    (command) => {
      if (command === '.ci/run') {
        execFileSync('bash', ['-n', '.ci/run']);
        return;
      }
      const [whole, script] = PART_OF[command] ?? [command, ''];
      if (whole !== command) expect(scripts[whole.replace(/^npm (?:run )?/, '')]).toContain(script);
      if (ci.includes(whole)) return;
      // A measurement, run by hand: `npm run check` has checked the types of its program, which must exist.
      const [, name = ''] = /^npm run ((?:bench|measure|soak|screenshots)\S*)$/.exec(command) ?? [];
      const [, program = ''] = / node (bench\/\S+\.js)$/.exec(scripts[name] ?? '') ?? [];
      expect(existsSync(program), command).toBe(true);
    },
  );

  it('is in the lists of this test only if the document has it', () => {
    expect(commands.length).toBeGreaterThan(20);
    const listed = [...RUN_HERE, ...RUN_BY_RELEASE, ...Object.keys(PART_OF)];
    expect(listed.filter((line) => !commands.includes(line))).toStrictEqual([]);
  });

  it.each(['npm test -- test/tokens', "npm test -- test/tokens -t 'accepted token'"])(
    '%s passes',
    async (command) => {
      expect(await run(command)).toMatch(/Tests +\d+ passed/);
    },
    TIMEOUT,
  );

  it(
    'npm run dev starts the service, and starts it again after a change',
    async () => {
      const port = String(await findFreePort());
      const child = spawn('npm', ['run', 'dev'], {
        cwd: folder,
        detached: true,
        stdio: ['ignore', 'pipe', 'inherit'],
        env: environment({ PORT: port, DATA_DIR: join(folder, 'data') }),
      });
      let output = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
      const exited = new Promise((resolve) => child.once('exit', resolve));
      onTestFinished(async () => {
        process.kill(-(child.pid ?? 0), 'SIGTERM');
        await exited;
      });
      const starts = (): number => output.split('The admin key is admin_api_key in').length - 1;
      await waitUntil('the service has started', () => starts() === 1, TIMEOUT);
      expect((await fetch(`http://127.0.0.1:${port}/health/live`)).status).toBe(200);
      appendFileSync(join(folder, 'src/main.ts'), '// changed\n');
      await waitUntil('the service has started again', () => starts() === 2, TIMEOUT);
    },
    TIMEOUT,
  );

  it.runIf(inject('database').kind === 'postgres')(
    'npm run migration:revert reverts the last migration, and npm run migration:run runs it again',
    async () => {
      const { variables } = await ownDatabase();
      await run('npm run migration:revert', variables);
      expect(await run('npm run migration:run', variables)).toMatch(/^Ran \w+\.$/m);
    },
    TIMEOUT,
  );
});
