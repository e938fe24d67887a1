import { execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

const DEBIAN_HOME = '/usr/lib/postgresql';

/**
 * A Postgres of its own, with its defaults but for the port and the folder, that is gone with `stop`.
 * @returns {Promise<{ url: string, stop: () => Promise<void> }>} `url` of an empty database.
 */
export async function startPostgres() {
  const bin = findBinaries();
  const folder = mkdtempSync(join(tmpdir(), 'pixseal-postgres-'));
  const data = join(folder, 'data');
  // Postgres refuses to run as root.
  const asUser = process.getuid?.() === 0 ? ['runuser', '-u', 'postgres', '--'] : [];
  if (asUser.length > 0) chownSync(folder, Number(execFileSync('id', ['-u', 'postgres']).toString()), 0);
  /** @param {string} program @param {string[]} rest @returns {[string, string[]]} */
  const command = (program, ...rest) => {
    const [first = '', ...others] = [...asUser, join(bin, program), ...rest];
    return [first, others];
  };
  execFileSync(...command('initdb', '-D', data, '-U', 'postgres', '--auth=trust', '--encoding=UTF8'), {
    stdio: 'ignore',
    cwd: folder,
  });
  const port = await findFreePort();
  const settings = ['-p', String(port), '-k', folder, '-c', 'listen_addresses=127.0.0.1'];
  const server = spawn(...command('postgres', '-D', data, ...settings), { stdio: 'ignore', cwd: folder });
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  await untilReady(url);
  return {
    url,
    stop: async () => {
      execFileSync(...command('pg_ctl', 'stop', '-D', data, '-m', 'fast'), { stdio: 'ignore' });
      if (server.exitCode === null) await new Promise((resolve) => server.once('exit', resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function findBinaries() {
  const debian = existsSync(DEBIAN_HOME)
    ? readdirSync(DEBIAN_HOME)
        .sort((a, b) => Number(b) - Number(a))
        .map((version) => join(DEBIAN_HOME, version, 'bin'))
    : [];
  const folders = [...(process.env.PATH ?? '').split(':'), ...debian];
  const bin = folders.find(
    (folder) => existsSync(join(folder, 'postgres')) && existsSync(join(folder, 'initdb')),
  );
  if (bin === undefined) throw new Error('There is no Postgres server (Debian: apt-get install postgresql)');
  return bin;
}

/** @param {string} url */
async function untilReady(url) {
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

/** @returns {Promise<number>} */
export function findFreePort() {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}
