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
  const folder = mkdtempSync(join(tmpdir(), 'pixseal-postgres-'));
  const data = join(folder, 'data');
  // Postgres refuses to run as root.
  const asUser = process.getuid?.() === 0 ? ['runuser', '-u', 'postgres', '--'] : [];
  if (asUser.length > 0) chownSync(folder, Number(execFileSync('id', ['-u', 'postgres']).toString()), 0);
  const [initdb = '', ...initdbArguments] = [
    ...asUser,
    join(found.bin, 'initdb'),
    ...['-D', data, '-U', 'postgres', '--auth=trust', '--encoding=UTF8', '--locale=C'],
  ];
  execFileSync(initdb, initdbArguments, { stdio: 'ignore', cwd: folder });
  prependRules(
    data,
    PASSWORD_METHODS.map((method) => `host all asked-by-${method} all ${method}`),
  );
  if (tls !== undefined) requireTls(data, tls);
  const port = await findFreePort();
  const [command = '', ...commandArguments] = [
    ...asUser,
    join(found.bin, 'postgres'),
    ...['-D', data, '-p', String(port), '-k', folder, '-c', 'listen_addresses=127.0.0.1'],
    ...['-c', 'fsync=off', '-c', 'full_page_writes=off', '-c', 'max_connections=200'],
    ...settings,
  ];
  const server = spawn(command, commandArguments, { stdio: 'ignore', cwd: folder });
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  await waitUntilReady(url);
  return {
    url,
    socketFolder: folder,
    stop: async () => {
      spawnSync(...ofUser(asUser, join(found.bin, 'pg_ctl'), ['stop', '-D', data, '-m', 'immediate']));
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

/** Configures a server's certificate, and refuses TCP connections without TLS to its database `secured`. */
function requireTls(data: string, { certificate, key }: KeyPair): void {
  const { uid, gid } = statSync(data);
  for (const [name, from] of [
    ['server.crt', certificate],
    ['server.key', key],
  ] as const) {
    const path = join(data, name);
    copyFileSync(from, path);
    chmodSync(path, 0o600);
    chownSync(path, uid, gid);
  }
  appendFileSync(join(data, 'postgresql.auto.conf'), 'ssl = on\n');
  prependRules(data, ['hostssl secured all all trust', 'host secured all all reject']);
}

function ofUser(asUser: readonly string[], command: string, rest: readonly string[]): [string, string[]] {
  const [first = '', ...others] = [...asUser, command, ...rest];
  return [first, others];
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
