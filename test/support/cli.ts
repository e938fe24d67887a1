import { spawn } from 'node:child_process';
import { expect } from 'vitest';
import { built } from './built.js';
import { ADMIN_KEY, startService, TEST_VARIABLES, type Service } from './service.js';
import { createTestDatabase } from './test-database.js';

export type Variables = Readonly<Record<string, string>>;

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built command line as a process, with no other environment variables. */
export function pixseal(args: readonly string[], variables: Variables = {}, input = ''): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [built('server/pixseal.js'), ...args], {
      env: { PATH: process.env['PATH'], ...variables },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({ code, stdout, stderr });
    });
    // A command that does not read its input may exit before it is written.
    child.stdin.once('error', () => undefined);
    child.stdin.end(input);
  });
}

/** The standard output of a command that must succeed without a warning. */
export async function output(
  args: readonly string[],
  variables: Variables = {},
  input = '',
): Promise<string> {
  const { code, stdout, stderr } = await pixseal(args, variables, input);
  expect({ code, stderr }).toStrictEqual({ code: 0, stderr: '' });
  return stdout.trimEnd();
}

/** Parses lines of `label  value`. */
export function rowsOf(text: string): Record<string, string> {
  return Object.fromEntries(
    text
      .split('\n')
      .map((line) => /^(.*?\S) {2,}(.*)$/.exec(line))
      .flatMap((match) => (match === null ? [] : [[match[1] ?? '', match[2] ?? '']])),
  );
}

/** The database or service that the commands of a suite use. */
export interface Place {
  readonly variables: Variables;
  /** A service on the database that the commands wrote. */
  serve(): Promise<Service>;
  close(): Promise<void>;
}

export async function openDatabase(): Promise<Place> {
  const database = await createTestDatabase();
  let service: Service | undefined;
  return {
    variables: { ...TEST_VARIABLES, ...database.variables },
    serve: async () => (service ??= await startService({}, database)),
    close: async () => {
      await service?.close();
      await database.drop();
    },
  };
}

export async function openService(): Promise<Place> {
  const service = await startService();
  return {
    variables: { PIXSEAL_SERVER: service.url, PIXSEAL_ADMIN_KEY: ADMIN_KEY },
    serve: () => Promise.resolve(service),
    close: () => service.close(),
  };
}
