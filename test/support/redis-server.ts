import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { KeyPair } from './certificates.js';
import { findFreePort } from './postgres-server.js';
import { findBinary, stopProgram } from './programs.js';
import { waitUntil } from './wait-until.js';

/** The program on this machine; see `findBinary`. */
export const findRedis = (): string | null => findBinary('redis-server', 'REQUIRE_REDIS');

/** A Redis of a single test. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** Sends a command on a connection of its own. */
  call(name: string, ...args: readonly string[]): Promise<unknown>;
  /** SIGSTOP: its connections stay open without responses; SIGCONT: it responds to all requests. */
  signal(signal: NodeJS.Signals): void;
  stop(): Promise<void>;
}

/**
 * Starts a server that stores nothing on disk.
 * @param port A free one by default.
 * @param settings Further arguments.
 * @param tls Its certificate; then it accepts TLS only.
 * @param file Its configuration file, which a Sentinel must have.
 */
export async function startRedis(
  binary: string,
  port?: number,
  settings: readonly string[] = [],
  tls?: KeyPair,
  file?: string,
): Promise<RedisServer> {
  const on = port ?? (await findFreePort());
  const folder = mkdtempSync(join(tmpdir(), 'pixseal-redis-'));
  const server = spawn(
    binary,
    [
      ...(file === undefined ? [] : [file]),
      ...(tls === undefined ? ['--port', String(on)] : tlsArguments(on, tls)),
      ...['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder, ...settings],
    ],
    { stdio: 'ignore' },
  );
  const url = `${tls === undefined ? 'redis' : 'rediss'}://127.0.0.1:${on}`;
  const call = async (name: string, ...args: readonly string[]): Promise<unknown> => {
    const client = new Redis(url, {
      maxRetriesPerRequest: null,
      retryStrategy: () => 50,
      ...(tls === undefined ? {} : { tls: { rejectUnauthorized: false } }),
    });
    client.on('error', () => undefined);
    try {
      return await client.call(name, ...args);
    } finally {
      client.disconnect();
    }
  };
  await call('PING');
  return {
    url,
    port: on,
    call,
    signal: (signal) => server.kill(signal),
    stop: () => stopProgram(server, folder),
  };
}

/** The key of a caller's backlog, such as `address:192.0.2.1`. */
export function limitKey(caller: string): string {
  return `{pixseal}:limit:${caller}`;
}

/**
 * Waits until a process reports what it counts.
 * @param caller One that nothing else counts.
 * @param consume Counts a request of this caller.
 */
export async function waitUntilShared(
  server: RedisServer,
  caller: string,
  consume: () => unknown,
): Promise<void> {
  await waitUntil('a count is reported to Redis', async () => {
    await consume();
    return (await server.call('EXISTS', limitKey(caller))) === 1;
  });
}

function tlsArguments(port: number, { certificate, key }: KeyPair): readonly string[] {
  return [
    ...['--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'no'],
    ...['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', certificate],
  ];
}
