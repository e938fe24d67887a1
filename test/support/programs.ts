import { spawnSync } from 'node:child_process';

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
