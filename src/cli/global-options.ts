import { Option, type Command } from 'commander';
import { runAsSystem } from '../platform/actor/actor.js';
import { processVariables } from '../platform/config/environment.js';
import type { Backend } from './backend.js';
import { UsageError } from './cli.errors.js';
import { readInput } from './input.js';

/** Options of every command. */
export interface GlobalOptions {
  readonly server?: string;
  readonly adminKeyFile?: string;
  readonly json?: true;
}

/** Adds them below a command's own. */
export function addGlobalOptions(command: Command): Command {
  return command
    .optionsGroup('Global options:')
    .addOption(
      new Option(
        '--server <url>',
        'work with the running service at this address instead of the database (or set PIXSEAL_SERVER)',
      ),
    )
    .addOption(
      new Option(
        '--admin-key-file <file>',
        'the service’s admin key: a file that holds it, or secrets.json of an embedded service’s data folder (or set PIXSEAL_ADMIN_KEY)',
      ),
    )
    .addOption(new Option('--json', 'print JSON, for programs'));
}

/** The service's address as `--server` or PIXSEAL_SERVER has it, without a trailing slash; null for neither. */
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

/** Opens the backend that the options and variables name, and closes it after use. */
export async function withBackend<T>(
  options: GlobalOptions,
  use: (backend: Backend) => Promise<T>,
): Promise<T> {
  const backend = await openBackend(options);
  try {
    return await runAsSystem('cli', () => use(backend));
  } finally {
    await backend.close();
  }
}

/** Either is loaded only when it is used: the database brings Nest, TypeORM and Postgres along. */
async function openBackend(options: GlobalOptions): Promise<Backend> {
  const server = findServer(options);
  if (server === null) return (await import('./database.backend.js')).DatabaseBackend.open();
  const { HttpBackend } = await import('./http.backend.js');
  return new HttpBackend(server, findAdminKey(options));
}

function findAdminKey({ adminKeyFile }: GlobalOptions): string | null {
  const text = adminKeyFile === undefined ? processVariables()['PIXSEAL_ADMIN_KEY'] : readInput(adminKeyFile);
  const key = keptAdminKey(text ?? '') ?? text?.trim() ?? '';
  if (key === '' && adminKeyFile === undefined) return null;
  // Checked here, since fetch's own complaint about a header would show the key.
  if (/^(?!["'])[\x21-\x7e]+$/.test(key)) return key;
  throw new UsageError(
    `${adminKeyFile ?? 'PIXSEAL_ADMIN_KEY'} does not hold an admin key: printable ASCII, not in quotation marks.`,
  );
}

/** The admin key in a data folder's secrets.json; null where the text is not that file's. */
function keptAdminKey(text: string): string | null {
  if (!text.trimStart().startsWith('{')) return null;
  try {
    const { admin_api_key: key } = JSON.parse(text) as { admin_api_key?: unknown };
    return typeof key === 'string' ? key : null;
  } catch {
    return null;
  }
}
