import { existsSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { runAsSystem } from '../platform/actor/actor.js';
import { embeddedSecretsPath } from '../platform/config/embedded-secrets.js';
import { processVariables, readDatabaseSettings } from '../platform/config/environment.js';
import { findLockAddress } from '../platform/database/folder-lock.js';
import type { Backend } from './backend.js';
import { UsageError } from './cli.errors.js';
import { readInput } from './input.js';
import { note } from './output.js';

/** Options of every command. */
export interface GlobalOptions {
  readonly server?: string;
  readonly adminKeyFile?: string;
  readonly json?: true;
}

/** Adds them to a command's own options. */
export function addGlobalOptions(command: Command): Command {
  const options = [
    new Option(
      '--server <url>',
      'use the running service at this address instead of the database (or set PIXSEAL_SERVER)',
    ),
    new Option(
      '--admin-key-file <file>',
      'a file with the service’s admin key, or secrets.json in the data folder of an embedded service (or set PIXSEAL_ADMIN_KEY)',
    ),
    new Option('--json', 'print JSON, for programs'),
  ];
  for (const option of options) command.addOption(option.helpGroup('Global options:'));
  return command;
}

/** The service's address from `--server` or PIXSEAL_SERVER, without a trailing slash; null if neither is set. */
export function findServer({ server }: GlobalOptions): string | null {
  const [name, text] =
    server === undefined ? ['PIXSEAL_SERVER', processVariables()['PIXSEAL_SERVER']] : ['--server', server];
  if (text === undefined || text.trim() === '') return null;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (
    url === null ||
    !['http:', 'https:'].includes(url.protocol) ||
    url.username !== '' ||
    url.search !== '' ||
    url.hash !== ''
  ) {
    throw new UsageError(`${name} must be a URL such as http://127.0.0.1:3000.`);
  }
  return url.href.replace(/\/+$/, '');
}

/**
 * Opens the backend that the options and variables select, and closes it after use.
 * @param createDatabase Whether to create an embedded database that does not exist: for commands that need no existing row.
 */
export async function withBackend<T>(
  options: GlobalOptions,
  use: (backend: Backend) => Promise<T>,
  { createDatabase = false }: { readonly createDatabase?: boolean } = {},
): Promise<T> {
  const backend = await openBackend(options, createDatabase);
  try {
    return await runAsSystem('cli', () => use(backend));
  } finally {
    await backend.close();
  }
}

/** Loads a backend only when it is used: the database needs Nest, TypeORM and Postgres. */
async function openBackend(options: GlobalOptions, createDatabase: boolean): Promise<Backend> {
  const server = findServer(options);
  const service =
    server === null ? findEmbeddedService(options) : { address: server, key: findAdminKey(options) };
  if (service === null) {
    if (!createDatabase) requireDatabase();
    return (await import('./database.backend.js')).DatabaseBackend.open();
  }
  const { HttpBackend } = await import('./http.backend.js');
  return new HttpBackend(service.address, service.key);
}

/** @throws UsageError if there is no embedded database yet. */
function requireDatabase(): void {
  const database = readDatabaseSettings(processVariables());
  if (database.kind === 'embedded' && !existsSync(database.dataDir)) {
    throw new UsageError(
      `There is no database in ${database.dataDir}. Pass the service’s address with --server, or, to explain, the image’s whole URL.`,
    );
  }
}

/** A service and an admin key for it. */
interface KnownService {
  readonly address: string;
  /** Null if none was supplied: explaining needs none. */
  readonly key: string | null;
}

/** The service that runs on the embedded database, which is locked while it runs; null if none does. */
function findEmbeddedService(options: GlobalOptions): KnownService | null {
  const database = readDatabaseSettings(processVariables());
  if (database.kind !== 'embedded') return null;
  const address = findLockAddress(database.dataDir);
  if (address === null) return null;
  const key = findAdminKey(options) ?? readKeyFile(embeddedSecretsPath(database.dataDir));
  return { address, key };
}

/** The admin key of `--admin-key-file`, else of the variables; null without any. */
function findAdminKey({ adminKeyFile }: GlobalOptions): string | null {
  if (adminKeyFile !== undefined) return readKeyFile(adminKeyFile);
  const { PIXSEAL_ADMIN_KEY: text = '', PIXSEAL_ADMIN_KEY_FILE: file = '' } = processVariables();
  if (text.trim() === '') return file === '' ? null : readKeyFile(file);
  const stored = storedAdminKey(text);
  if (stored !== null) {
    note(
      'PIXSEAL_ADMIN_KEY contains a whole secrets.json. That is deprecated, and will be refused by the next release: ' +
        'set PIXSEAL_ADMIN_KEY_FILE to the path of the file instead',
    );
  }
  return requireKey('PIXSEAL_ADMIN_KEY', stored ?? text.trim());
}

/** @param file With the key alone, or the secrets.json of a data folder. */
function readKeyFile(file: string): string {
  const text = readInput(file);
  return requireKey(file, storedAdminKey(text) ?? text.trim());
}

/** Checked here, because fetch's own error about a header would contain the key. */
function requireKey(source: string, key: string): string {
  if (/^(?!["'])[\x21-\x7e]+$/.test(key)) return key;
  throw new UsageError(`${source} does not contain an admin key: printable ASCII, not in quotation marks.`);
}

/** The admin key from a data folder's secrets.json; null for any other text. */
function storedAdminKey(text: string): string | null {
  if (!text.trimStart().startsWith('{')) return null;
  try {
    const { admin_api_key: key } = JSON.parse(text) as { admin_api_key?: unknown };
    return typeof key === 'string' ? key : null;
  } catch {
    return null;
  }
}
