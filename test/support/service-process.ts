import { spawn } from 'node:child_process';
import { onTestFinished } from 'vitest';
import { built } from './built.js';
import { findFreePort } from './postgres-server.js';

/** The exit code and the output of a process. */
export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The built service as a separate process. */
export interface ServiceProcess {
  readonly pid: number;
  readonly port: number;
  readonly url: string;
  /** Its output so far. */
  readonly output: () => Pick<ProcessExit, 'stdout' | 'stderr'>;
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly exited: Promise<ProcessExit>;
}

type Variables = Readonly<Record<string, string>>;

/** Starts a built program with these environment variables only. @param node The Node to start it on. */
export function spawnBuilt(
  program: string,
  variables: Variables,
  args: readonly string[] = [],
  node: string = process.execPath,
): Omit<ServiceProcess, 'port' | 'url'> {
  const child = spawn(node, ['--max-semi-space-size=4', '--no-memory-reducer', built(program), ...args], {
    env: { PATH: process.env['PATH'], ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  return {
    pid: child.pid ?? 0,
    output: () => ({ ...output }),
    kill: (signal) => child.kill(signal),
    exited: new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        resolve({ code, signal, ...output });
      });
    }),
  };
}

/** Starts the service and waits until it responds. @throws if it exits before that. */
export async function startServiceProcess(
  variables: Variables,
  [program = 'server/main.js', ...args]: readonly string[] = [],
  node?: string,
): Promise<ServiceProcess> {
  const port = await findFreePort();
  const spawned = spawnBuilt(program, { ...variables, PORT: String(port) }, args, node);
  const url = `http://127.0.0.1:${port}`;
  const failed = spawned.exited.then((exited): never => {
    throw new Error(`The service did not start: ${JSON.stringify(exited)}`);
  });
  for (;;) {
    const tried = fetch(`${url}/health/live`).catch(() => null);
    const live = await Promise.race([tried, failed]);
    if (live?.status === 200) {
      // From now on the test awaits its exit.
      failed.catch(() => undefined);
      return { ...spawned, port, url };
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The built service in a process that is killed after the test. @param program `server/main.js` by default. */
export async function ownProcess(
  variables: Readonly<Record<string, string>>,
  program?: readonly string[],
): Promise<ServiceProcess> {
  const service = await startServiceProcess(variables, program);
  onTestFinished(async () => {
    service.kill('SIGKILL');
    await service.exited;
  });
  return service;
}

/** The messages of a process's log so far. */
export function warningsOf(service: ServiceProcess): readonly string[] {
  return service
    .output()
    .stdout.split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => (JSON.parse(line) as { msg: string }).msg);
}
