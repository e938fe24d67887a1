import type { Command } from 'commander';
import { CommandFailedError } from './cli.errors.js';
import { addGlobalOptions, withBackend, type GlobalOptions } from './global-options.js';
import { formatRows, printResult } from './output.js';

export function addKeysCommands(program: Command): void {
  const keys = program.command('keys').description('manage the stored secrets of issuers and accounts');
  addGlobalOptions(
    keys
      .command('rewrap')
      .summary('encrypt every stored secret under the first key of SECRETS_KEY')
      .description(
        'Encrypts every secret of issuers and accounts under the first key of SECRETS_KEY, in batches. It may be interrupted and ' +
          'run again: secrets under that key already are skipped. The secrets and tokens stay the same.\n' +
          'Start every replica with both keys before it; remove the other keys after it.',
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
  printResult(result, () =>
    formatRows([
      ['rewrapped', result.rewrapped],
      ['already', result.already],
      ['failed', result.failed.length],
    ]),
  );
  if (result.failed.length > 0) {
    throw new CommandFailedError(
      `The secrets of these keys, account secrets or accounts cannot be decrypted and stay unchanged; replace them: ${result.failed.join(', ')}`,
    );
  }
}
