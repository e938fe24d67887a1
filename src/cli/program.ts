import { Command, CommanderError } from 'commander';
import { NearNames } from '../domain/near-names.js';
import { readVersion } from '../platform/config/package-version.js';
import { addAccountCommands } from './account.command.js';
import { addAdminKeyCommands } from './admin-key.command.js';
import { addAuditCommands } from './audit.command.js';
import { UsageError } from './cli.errors.js';
import { addCompletionCommand } from './completion.command.js';
import { addExplainCommand } from './explain.command.js';
import { addGlobalOptions } from './global-options.js';
import { formatFailure, isUsageFailure } from './failure.js';
import { addImportCommand } from './import.command.js';
import { addImageCommands } from './image.command.js';
import { addIssuerCommands } from './issuer.command.js';
import { addKeyCommands } from './key.command.js';
import { addKeysCommands } from './keys.command.js';
import { useJson } from './output.js';
import { addOverlayCommands } from './overlay.command.js';
import { addPolicyCommands } from './policy.command.js';
import { requireOptions } from './required-option.js';
import { addRevokeCommands } from './revoke.command.js';
import { addServeCommand } from './serve.command.js';
import { addTokenCommands } from './token.command.js';

const FAILED = 1;
const USAGE = 2;

const HELP = `
Database or service:
  With --server, commands call a running service. Without it, they use the database of the service’s own settings:
  DATABASE_URL with CLOUDINARY_URL, ADMIN_API_KEYS and SECRETS_KEY, else the embedded one in DATA_DIR (./data). While a
  service runs on the embedded one, such as \`npm start\`, they call that service, with the admin key of its folder.

Variables:
  PIXSEAL_SERVER          the running service, as --server
  PIXSEAL_ADMIN_KEY       its admin key: from ADMIN_API_KEYS, or \`admin-key create\`
  PIXSEAL_ADMIN_KEY_FILE  a file with that key, as --admin-key-file
  PIXSEAL_DSN             the dsn printed by \`issuer create\`: issuer, secret and service in one
  PIXSEAL_SECRET          only an issuer’s secret, to mint tokens with

First steps, in the checkout and beside a running \`npm start\`; the last one prints the URL of an image:
  $ alias pixseal="node '$PWD/dist/server/pixseal.js'"
  $ export PIXSEAL_DSN="$(pixseal issuer create --name "My shop" --policy recommended --json | jq -r .key.dsn)"
  $ pixseal image upload docs/photo.jpg --public-id shoes/red --id 0b1c6a0e-5a53-4f0e-9b0e-3a4f6c1b2d11
  $ pixseal token mint --image 0b1c6a0e-5a53-4f0e-9b0e-3a4f6c1b2d11 --step width=400,height=300,crop=fill \\
      --expires-in 1h --no-download --url

JSON:
  With --json, standard output is the object that the admin API returns, and an array for a list; what is deleted is
  {"id", "deleted": true}, what is revoked {"id", "revoked": true}. Each line of standard error is an object: a note is
  {"note"}, and an error, in the last line, has a code and a detail: those of the service, or invalid_command_line, or
  command_failed.

Exit codes: 0 done, 1 refused or failed (the reason is on standard error), 2 invalid command line.
Every command has a --help with examples.`;

/** Runs the command line. @returns the exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  // A reader such as `head` has closed the pipe.
  process.stdout.once('error', () => process.exit(FAILED));
  const json = argv.includes('--json');
  if (json) useJson();
  try {
    refuseArgumentsOfVersion(argv);
    await createProgram(json).parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      // Without --json, Commander has already printed the error or the help.
      if (json) printFailure(new UsageError(messageOf(error)), json);
      return USAGE;
    }
    printFailure(error, json);
    return isUsageFailure(error) ? USAGE : FAILED;
  }
}

function printFailure(error: unknown, json: boolean): void {
  process.stderr.write(`${formatFailure(error, json)}\n`);
}

/** Of a missing command, Commander's message is a placeholder for the help. */
function messageOf({ code, message }: CommanderError): string {
  return code === 'commander.help' ? 'A command is missing: see --help.' : message.replace(/^error: /, '');
}

/** Commander prints the version as soon as it reads the option. @throws UsageError */
function refuseArgumentsOfVersion([option = '', ...others]: readonly string[]): void {
  const extra = others.find((text) => text !== '--json');
  if (!['--version', '-V'].includes(option) || extra === undefined) return;
  throw new UsageError(`${option} takes no argument, and there is ${JSON.stringify(extra)}.`);
}

function createProgram(json: boolean): Command {
  const program = new Command('pixseal')
    .description(
      'Manage issuers, images and overlays, mint and revoke tokens, and explain what a token does.',
    )
    .version(readVersion())
    // `--version` is the program's version, but after `image add` the image's.
    .enablePositionalOptions()
    .configureHelp({ helpWidth: 110, visibleCommands: commandsBelow, subcommandTerm: formatUsage })
    .showHelpAfterError('Run it with --help to see options and examples.')
    .exitOverride()
    // Commander prints the help of a group even if the name after it is not a command of the group.
    .addHelpText('beforeAll', ({ command, error }) => {
      // `help` is a command of every group.
      const [name = '-'] = command.args.slice(command.args[0] === 'help' ? 1 : 0);
      if (!error && command.commands.length > 0 && !name.startsWith('-')) refuseCommand(command, name);
      return '';
    })
    .addHelpText('after', HELP);
  if (json) program.configureOutput({ writeErr: () => undefined });
  // Global options may precede a command or follow it.
  addGlobalOptions(program).hook('preAction', (_, command) => {
    requireOptions(command);
    for (const [name, value] of Object.entries(program.opts())) {
      if (command.getOptionValue(name) === undefined) command.setOptionValue(name, value);
    }
  });
  addIssuerCommands(program);
  addKeyCommands(program);
  addPolicyCommands(program);
  addAccountCommands(program);
  addKeysCommands(program);
  addImageCommands(program);
  addImportCommand(program);
  addOverlayCommands(program);
  addTokenCommands(program);
  addRevokeCommands(program);
  addExplainCommand(program);
  addAdminKeyCommands(program);
  addAuditCommands(program);
  addServeCommand(program);
  addCompletionCommand(program);
  return program;
}

/** @throws CommanderError */
function refuseCommand(group: Command, name: string): never {
  const near = new NearNames(
    group.commands.map((command) => command.name()),
    [],
  ).find(name);
  const suggestion = near === null ? '' : `\n(Did you mean ${near}?)`;
  return group.error(`error: unknown command '${name}'${suggestion}`, { code: 'commander.unknownCommand' });
}

/** The executable commands of all groups, for one list in the help. */
function commandsBelow(command: Command): Command[] {
  return command.commands.flatMap((child) => (child.commands.length === 0 ? [child] : commandsBelow(child)));
}

function formatUsage(command: Command): string {
  const groups: string[] = [];
  for (let each = command.parent; each?.parent; each = each.parent) groups.unshift(`${each.name()} `);
  const args = command.registeredArguments.map((argument) => ` <${argument.name()}>`).join('');
  return `${groups.join('')}${command.name()}${args}`;
}
