import { spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Whether this machine has a program that runs an example. Without it, the example is skipped with a warning.
 * @throws with `REQUIRE_LANGUAGES=1`, so that no run of CI passes without it.
 */
export function hasProgram(program: string, leftOut: string): boolean {
  if (spawnSync(program, ['--version']).status === 0) return true;
  if (process.env['REQUIRE_LANGUAGES'] === '1') throw new Error(`There is no ${program}`);
  process.stderr.write(`\n*** LEFT OUT: ${leftOut}: no ${program}. ***\n\n`);
  return false;
}

/**
 * Debian's binary of a program on this machine; null if it is missing. `/usr/sbin` is not on every user's PATH.
 * @param leftOut The tests that are skipped without it, for a warning; none by default.
 * @throws with `REQUIRE_REDIS=1` or the like instead of returning null, so that no run of CI passes without it.
 */
export function findBinary(program: string, required: string, leftOut?: string): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin'];
  const found = folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
  if (found !== undefined) return found;
  if (process.env[required] === '1') throw new Error(`${required} is set, and there is no ${program}`);
  if (leftOut !== undefined) {
    process.stderr.write(`\n*** LEFT OUT: ${leftOut} (Debian: apt-get install ${program}). ***\n\n`);
  }
  return null;
}

/** Ends a process, waits for its exit, and deletes its folder. */
export async function stopProgram(
  child: ChildProcess,
  folder: string,
  signal: NodeJS.Signals = 'SIGKILL',
): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await exited;
  }
  rmSync(folder, { recursive: true, force: true });
}
