import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { KeyPair } from './certificates.js';

const DEBIAN_HOME = '/usr/lib/postgresql';

/** An available Postgres: a server's URL, or a folder of server binaries. */
export type FoundPostgres = { readonly url: string } | { readonly bin: string };

export function findPostgres(): FoundPostgres | null {
  const url = process.env['TEST_DATABASE_URL'];
  if (url !== undefined && url !== '') return { url };
  return findPostgresBinaries();
}

/** The path of one of Postgres's programs. @throws if it is missing. */
export function findPostgresProgram(name: string): string {
  const folder = foldersOfPrograms().find((each) => existsSync(join(each, name)));
  if (folder === undefined) throw new Error(`There is no ${name}`);
  return join(folder, name);
}

/** The folders of `PATH` and of Debian's servers, the newest first. */
function foldersOfPrograms(): readonly string[] {
  const debian = existsSync(DEBIAN_HOME)
    ? readdirSync(DEBIAN_HOME)
        .sort((a, b) => Number(b) - Number(a))
        .map((version) => join(DEBIAN_HOME, version, 'bin'))
    : [];
  return [...(process.env['PATH'] ?? '').split(':'), ...debian];
}

export interface PostgresServer {
  /** Of a superuser's database. */
  readonly url: string;
  /** The folder of its socket; null for a server that was running already. */
  readonly socketFolder: string | null;
  stop(): Promise<void>;
}

/** A standby that streams the changes of its primary. */
export interface PostgresReplica extends PostgresServer {
  /** Makes it a primary. @returns once it accepts writes. */
  promote(): Promise<void>;
}

/** The folder of server binaries; null if this machine has none. */
export function findPostgresBinaries(): { readonly bin: string } | null {
  const bin = foldersOfPrograms().find(
    (folder) => existsSync(join(folder, 'postgres')) && existsSync(join(folder, 'initdb')),
  );
  return bin === undefined ? null : { bin };
}

/**
 * Uses an available server, or starts one on a free port with a temporary folder.
 * @param tls The certificate that it shows. It lets clients without TLS into all databases but `secured`.
 * @param settings Further arguments of a server that it starts, such as `-c` and a setting.
 */
export async function startPostgres(
  found: FoundPostgres,
  tls?: KeyPair,
  settings: readonly string[] = [],
): Promise<PostgresServer> {
  if ('url' in found) return { url: found.url, socketFolder: null, stop: () => Promise.resolve() };
  const run = runHere();
  run('initdb', ['-D', run.data, '-U', 'postgres', '--auth=trust', '--encoding=UTF8', '--locale=C']);
  prependRules(
    run.data,
    PASSWORD_METHODS.map((method) => `host all asked-by-${method} all ${method}`),
  );
  if (tls !== undefined) requireTls(run.data, tls);
  return serve(run, settings);
}

/** Starts a standby of a running server. */
export async function startReplica(primary: PostgresServer): Promise<PostgresReplica> {
  const run = runHere();
  // `-R` configures the standby for this primary.
  run('pg_basebackup', ['-D', run.data, '-R', '-d', primary.url, '--checkpoint=fast', '--no-sync']);
  return {
    ...(await serve(run)),
    promote: () => {
      run('pg_ctl', ['promote', '-D', run.data, '-w']);
      return Promise.resolve();
    },
  };
}

/** Runs Postgres's programs in a temporary folder. */
interface Runner {
  (program: string, args: readonly string[]): void;
  readonly folder: string;
  /** The server's data. */
  readonly data: string;
  /** The command of a program, as a user that may run it: Postgres refuses to run as root. */
  commandOf(program: string, args: readonly string[]): [command: string, args: string[]];
}

function runHere(): Runner {
  const folder = mkdtempSync(join(tmpdir(), 'pixseal-postgres-'));
  const asUser = process.getuid?.() === 0 ? ['runuser', '-u', 'postgres', '--'] : [];
  if (asUser.length > 0) chownSync(folder, Number(execFileSync('id', ['-u', 'postgres']).toString()), 0);
  const commandOf: Runner['commandOf'] = (program, args) => {
    const [command = '', ...rest] = [...asUser, findPostgresProgram(program), ...args];
    return [command, rest];
  };
  const run = (program: string, args: readonly string[]): void => {
    execFileSync(...commandOf(program, args), { stdio: 'ignore', cwd: folder });
  };
  return Object.assign(run, { folder, data: join(folder, 'data'), commandOf });
}

/** Starts the server of a folder. */
async function serve(run: Runner, settings: readonly string[] = []): Promise<PostgresServer> {
  const { folder, data } = run;
  const port = await findFreePort();
  const [command, args] = run.commandOf('postgres', [
    ...['-D', data, '-p', String(port), '-k', folder, '-c', 'listen_addresses=127.0.0.1'],
    ...['-c', 'fsync=off', '-c', 'full_page_writes=off', '-c', 'max_connections=200'],
    ...settings,
  ]);
  const server = spawn(command, args, { stdio: 'ignore', cwd: folder });
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  await waitUntilReady(url);
  return {
    url,
    socketFolder: folder,
    stop: async () => {
      spawnSync(...run.commandOf('pg_ctl', ['stop', '-D', data, '-m', 'immediate']));
      if (server.exitCode === null) await new Promise((resolve) => server.once('exit', resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** How a server asks the user `asked-by-METHOD` for a password over TCP; other users need none. */
export const PASSWORD_METHODS = ['scram-sha-256', 'md5', 'password'] as const;

/** Inserts rules before a server's own. */
function prependRules(data: string, rules: readonly string[]): void {
  const path = join(data, 'pg_hba.conf');
  writeFileSync(path, [...rules, readFileSync(path, 'utf8')].join('\n'));
}

/**
 * Configures a server's certificate, and refuses TCP connections without TLS to its database `secured`, and there those
 * of the user `certified` without a certificate.
 */
function requireTls(data: string, { certificate, key, ca }: KeyPair): void {
  const { uid, gid } = statSync(data);
  for (const [name, from] of [
    ['server.crt', certificate],
    ['server.key', key],
    ['ca.crt', ca],
  ] as const) {
    const path = join(data, name);
    copyFileSync(from, path);
    chmodSync(path, 0o600);
    chownSync(path, uid, gid);
  }
  appendFileSync(join(data, 'postgresql.auto.conf'), "ssl = on\nssl_ca_file = 'ca.crt'\n");
  prependRules(data, [
    'hostssl secured certified all cert',
    'hostssl secured all all trust',
    'host secured all all reject',
  ]);
}

async function waitUntilReady(url: string): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const client = new pg.Client({ connectionString: url });
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      if (attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

export async function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port);
        else reject(new Error('no port'));
      });
    });
  });
}
