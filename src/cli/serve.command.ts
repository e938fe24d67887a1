import { fileURLToPath } from 'node:url';
import { type Command } from 'commander';
import { processVariables, readEnvironment } from '../platform/config/environment.js';
import { CommandFailedError, UsageError } from './cli.errors.js';
import { readDefaultPolicy } from '../policy/recommended-policy.js';

const MAX_WORKERS = 64;
/** Beside this file in dist/server. */
const MAIN = new URL('./main.js', import.meta.url);

export function addServeCommand(program: Command): void {
  program
    .command('serve')
    .summary('run the service')
    .description(
      'Runs the service with the settings of the environment, as `npm start` does.\n ' +
        'With --workers, several processes serve one port, and one that dies is restarted. They share a Postgres ' +
        'server: an embedded database belongs to a single process. Each has its own caches and ten connections.',
    )
    .option('--workers <count>', 'number of processes; more than one per core is not faster', '1')
    .addHelpText(
      'after',
      `
Signals:
  On SIGTERM and SIGINT every process completes its requests and exits with 0.

Examples:
  $ pixseal serve
  $ pixseal serve --workers 4`,
    )
    .action(serve);
}

async function serve({ workers }: { readonly workers: string }): Promise<void> {
  const count = /^[1-9]\d?$/.test(workers) ? Number(workers) : Number.NaN;
  if (!(count <= MAX_WORKERS)) {
    throw new UsageError(`--workers must be a whole number from 1 to ${MAX_WORKERS}.`);
  }
  if (count === 1) {
    await import(MAIN.href);
    return;
  }
  const environment = readEnvironment(
    processVariables(),
    () => {
      throw new CommandFailedError(
        'An embedded database belongs to one process. Set DATABASE_URL to a Postgres server, or omit --workers.',
      );
    },
    readDefaultPolicy,
  );
  const [{ createLogger: makeLogger }, { serveWithWorkers }] = await Promise.all([
    import('../platform/observability/json.logger.js'),
    import('../operations/serve/workers.js'),
  ]);
  serveWithWorkers(fileURLToPath(MAIN), {
    count,
    drainTime: environment.drainTime,
    logger: makeLogger(environment.logLevel),
  });
}
