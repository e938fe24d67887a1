import { spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from './postgres-server.js';
import { waitUntil } from './wait-until.js';
import { findBinary, stopProgram } from './programs.js';

/** The program on this machine; see `findBinary`. */
export const findHaproxy = (): string | null =>
  findBinary('haproxy', 'REQUIRE_HAPROXY', 'tests behind HAProxy');

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
  const stop = (): Promise<void> => stopProgram(proxy, folder);
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
