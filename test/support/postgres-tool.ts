import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findPostgres } from './postgres-server.js';

/** One of Postgres's programs, beside the server's binaries or on the PATH; null if it is missing. */
export function findPostgresTool(name: string): string | null {
  const found = findPostgres();
  const folders = [
    ...(found !== null && 'bin' in found ? [found.bin] : []),
    ...(process.env['PATH'] ?? '').split(':'),
  ];
  const path = folders.map((folder) => join(folder, name)).find((each) => existsSync(each));
  if (path === undefined && process.env['REQUIRE_POSTGRES'] === '1') {
    throw new Error(`REQUIRE_POSTGRES is set, and there is no ${name}`);
  }
  return path ?? null;
}

/** Runs a program. @throws with its output if it fails. */
export function runTool(path: string, args: readonly string[]): string {
  return execFileSync(path, args, { encoding: 'utf8', maxBuffer: 100_000_000 });
}
