import { execFileSync, spawn } from 'node:child_process';
import { chownSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { findFreePort } from './postgres-server.js';
import { waitUntil } from './wait-until.js';
import { findBinary, stopProgram } from './programs.js';

/** The program on this machine; see `findBinary`. */
export const findPgbouncer = (): string | null =>
  findBinary('pgbouncer', 'REQUIRE_PGBOUNCER', 'tests behind PgBouncer');

/** Whether a version tracks statements that its clients prepare by name. */
export function tracksStatements(binary: string): boolean {
  const [, major, minor] =
    /PgBouncer (\d+)\.(\d+)/.exec(execFileSync(binary, ['--version']).toString()) ?? [];
  return Number(major) > 1 || Number(minor) >= 21;
}

export type PoolMode = 'session' | 'transaction' | 'statement';

/** A PgBouncer of a single test. */
export interface Pgbouncer {
  readonly port: number;
  /** A database's URL through the pooler. */
  urlOf(databaseUrl: string): string;
  /** Changes the mode while clients are connected. */
  setMode(mode: PoolMode): Promise<void>;
  /** Leads to another server from now on. @param databaseUrl Of any database there. */
  moveTo(databaseUrl: string): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts PgBouncer in front of the server of a database's URL, with its defaults for everything else.
 * @param settings Further lines of its section `[pgbouncer]`.
 */
export async function startPgbouncer(
  binary: string,
  databaseUrl: string,
  mode: PoolMode,
  settings: readonly string[] = [],
): Promise<Pgbouncer> {
  const port = await findFreePort();
  const folder = mkdtempSync(join(tmpdir(), 'pixseal-pgbouncer-'));
  const configuration = join(folder, 'pgbouncer.ini');
  const state = { server: new URL(databaseUrl), poolMode: mode };
  const write = (): void => {
    const { server, poolMode } = state;
    writeFileSync(
      configuration,
      [
        '[databases]',
        `* = host=${server.hostname} port=${server.port || '5432'} user=${server.username}`,
        '[pgbouncer]',
        'listen_addr = 127.0.0.1',
        `listen_port = ${port}`,
        'unix_socket_dir =',
        'auth_type = any',
        'admin_users = postgres',
        `pool_mode = ${poolMode}`,
        ...settings,
        '',
      ].join('\n'),
    );
  };
  write();
  // PgBouncer refuses to run as root.
  const asUser = process.getuid?.() === 0 ? ['runuser', '-u', 'postgres', '--'] : [];
  if (asUser.length > 0) {
    const user = Number(execFileSync('id', ['-u', 'postgres']).toString());
    for (const path of [folder, configuration]) chownSync(path, user, 0);
  }
  const [command, ...args] = [...asUser, binary, configuration];
  const pooler = spawn(command, args, { stdio: 'ignore', cwd: folder });
  const urlOf = (url: string): string => {
    const through = new URL(url);
    through.host = `127.0.0.1:${port}`;
    return through.href;
  };
  const query = async (url: string, text: string): Promise<void> => {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query(text);
    } finally {
      await client.end().catch(() => undefined);
    }
  };
  const reload = (): Promise<void> => {
    write();
    return query(`postgres://postgres@127.0.0.1:${port}/pgbouncer`, 'RELOAD');
  };
  const stop = (): Promise<void> => stopProgram(pooler, folder, 'SIGTERM');
  const isOpen = (): Promise<boolean> =>
    query(urlOf(databaseUrl), 'SELECT 1').then(
      () => true,
      () => false,
    );
  await waitUntil('PgBouncer listens', isOpen).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return {
    port,
    urlOf,
    setMode: (poolMode) => {
      state.poolMode = poolMode;
      return reload();
    },
    moveTo: (url) => {
      state.server = new URL(url);
      return reload();
    },
    stop,
  };
}
