import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from './postgres-server.js';
import { waitUntil } from './wait-until.js';

/** The folder of Debian's `haproxy`, which is not on every user's PATH. */
const FOLDERS = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin'];

/**
 * The program on this machine; null if it is missing (Debian: haproxy).
 * @throws with `REQUIRE_HAPROXY=1` instead of returning null, so that no run of CI passes without it.
 */
export function findHaproxy(): string | null {
  const found = FOLDERS.map((folder) => join(folder, 'haproxy')).find((path) => existsSync(path));
  if (found !== undefined) return found;
  if (process.env['REQUIRE_HAPROXY'] === '1')
    throw new Error('REQUIRE_HAPROXY is set, and there is no haproxy');
  process.stderr.write('\n*** LEFT OUT: tests behind HAProxy (Debian: apt-get install haproxy). ***\n\n');
  return null;
}

/** A HAProxy of a single test. */
export interface Haproxy {
  readonly port: number;
  stop(): Promise<void>;
}

/**
 * Starts a proxy with one connection to the service for all of its clients.
 * @param reuse When HAProxy's `http-reuse` may give a connection to another client.
 */
export async function startHaproxy(binary: string, upstream: number, reuse: string): Promise<Haproxy> {
  const port = await findFreePort();
  const folder = mkdtempSync(join(tmpdir(), 'pixseal-haproxy-'));
  const configuration = join(folder, 'haproxy.cfg');
  writeFileSync(
    configuration,
    `global
  maxconn 100
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout queue 10s
  http-reuse ${reuse}
frontend clients
  bind 127.0.0.1:${port}
  default_backend service
backend service
  server pixseal 127.0.0.1:${upstream} maxconn 1 pool-max-conn 1
`,
  );
  const proxy = spawn(binary, ['-f', configuration, '-db'], { stdio: 'ignore' });
  const stop = async (): Promise<void> => {
    if (proxy.exitCode === null && proxy.signalCode === null) {
      const deleted = new Promise((resolve) => proxy.once('exit', resolve));
      proxy.kill('SIGKILL');
      await deleted;
    }
    rmSync(folder, { recursive: true, force: true });
  };
  await waitUntil('HAProxy listens', () => isOpen(port)).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return { port, stop };
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}
