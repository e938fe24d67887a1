import type { Command } from 'commander';
import { parsePolicy } from '../policy/recommended-policy.js';
import { UsageError } from './cli.errors.js';
import { addGlobalOptions, withBackend, type GlobalOptions } from './global-options.js';
import { readInput } from './input.js';
import { requireIssuerId } from './issuer-secret.js';
import { printJson } from './output.js';

interface PolicyOptions extends GlobalOptions {
  readonly issuer?: string;
}

const ISSUER = 'the issuer; optional if PIXSEAL_DSN contains it';

export function addPolicyCommands(program: Command): void {
  const policy = program.command('policy').description('read and replace the policy of an issuer’s tokens');
  addGlobalOptions(
    policy
      .command('get')
      .summary('print the policy of an issuer')
      .description('Prints the policy of an issuer as JSON; {} restricts nothing.')
      .option('--issuer <uuid>', ISSUER),
  )
    .addHelpText(
      'after',
      `
Examples:
  $ pixseal policy get --issuer cfd3b472-dbba-4089-bce7-f5c1e413b5c1 > policy.json`,
    )
    .action(getPolicy);
  addGlobalOptions(
    policy
      .command('set')
      .summary('replace the policy of an issuer')
      .description(
        'Replaces the policy of an issuer as a whole, and prints it. It takes effect within a second. Tokens that ' +
          'violate the new policy are refused, those signed before it too.',
      )
      .argument('<policy>', 'recommended, or a policy as JSON, or @file, or @- for standard input')
      .option('--issuer <uuid>', ISSUER),
  )
    .addHelpText(
      'after',
      `
Examples:
  $ pixseal policy set recommended --issuer cfd3b472-dbba-4089-bce7-f5c1e413b5c1
  $ pixseal policy get | jq '.max_width = 1200' | pixseal policy set @-
  $ pixseal policy set '{}'`,
    )
    .action(setPolicy);
}

async function getPolicy(options: PolicyOptions): Promise<void> {
  const id = requireIssuerId(options.issuer);
  const { policy } = await withBackend(options, (backend) => backend.getIssuer(id));
  printJson(policy);
}

async function setPolicy(text: string, options: PolicyOptions): Promise<void> {
  const id = requireIssuerId(options.issuer);
  const policy = readPolicy('The policy', text);
  const issuer = await withBackend(options, (backend) => backend.updateIssuer(id, { policy }));
  printJson(issuer.policy);
}

/**
 * The policy of an option or an argument; the backend validates it.
 * @param name Of the option, for the error.
 * @throws UsageError
 */
export function readPolicy(name: string, text: string): unknown {
  const { document, fault } = parsePolicy(text.startsWith('@') ? readInput(text.slice(1)) : text);
  if (fault === null) return document;
  throw new UsageError(`${name}${fault}.`);
}
