import type { Command } from 'commander';
import { CommandFailedError } from './cli.errors.js';
import { addGlobalOptions, withBackend, type GlobalOptions } from './global-options.js';
import { formatRows, print, printJson } from './output.js';

export function addKeysCommands(program: Command): void {
  const keys = program.command('keys').description('the issuers’ keys as they are stored');
  addGlobalOptions(
    keys
      .command('rewrap')
      .summary('encrypt every stored secret under the first key of SECRETS_KEY')
      .description(
        'Encrypts every issuer key’s secret under the first key of SECRETS_KEY, in batches. It may be stopped and run\n' +
          'again: what is under that key already is left alone. The secrets themselves stay the same, and so do tokens.\n' +
          'Before it, every replica must have been started with both keys; after it, the others can go.',
      ),
  )
    .addHelpText(
      'after',
      `
Examples:
  $ SECRETS_KEY=new,old pixseal keys rewrap`,
    )
    .action(rewrapKeys);
}

async function rewrapKeys(options: GlobalOptions): Promise<void> {
  const result = await withBackend(options, (backend) => backend.rewrapKeys());
  if (options.json) printJson(result);
  else {
    print(
      ...formatRows([
        ['rewrapped', result.rewrapped],
        ['already', result.already],
        ['failed', result.failed.length],
      ]),
    );
  }
  if (result.failed.length > 0) {
    throw new CommandFailedError(
      `The secrets of these keys do not open, and were left as they are; replace the keys: ${result.failed.join(', ')}`,
    );
  }
}
