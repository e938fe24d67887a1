import { Command, CommanderError } from 'commander';
import { readVersion } from '../platform/config/package-version.js';
import { addAccountCommands } from './account.command.js';
import { addAdminKeyCommands } from './admin-key.command.js';
import { addExplainCommand } from './explain.command.js';
import { UsageError } from './cli.errors.js';
import { addGlobalOptions } from './global-options.js';
import { formatFailure } from './failure.js';
import { addImportCommand } from './import.command.js';
import { addImageCommands } from './image.command.js';
import { addIssuerCommands } from './issuer.command.js';
import { addKeysCommands } from './keys.command.js';
import { addOverlayCommands } from './overlay.command.js';
import { addServeCommand } from './serve.command.js';
import { addTokenCommands } from './token.command.js';

const FAILED = 1;
const USAGE = 2;

const HELP = `
Database or service:
  Without --server, commands use the database of the service’s own settings: DATABASE_URL with CLOUDINARY_URL,
  ADMIN_API_KEYS and SECRETS_KEY, else the embedded one in DATA_DIR (./data).
  With --server, they call a running service. A running service locks its embedded database: while
  \`npm start\` runs, use --server.

Variables:
  PIXSEAL_SERVER     the running service, as --server
  PIXSEAL_ADMIN_KEY  its admin key: from ADMIN_API_KEYS or \`admin-key create\`, or admin_api_key in data/secrets.json if embedded
  PIXSEAL_DSN        the dsn printed by \`issuer create\`: issuer, secret and service in one, to mint tokens with
  PIXSEAL_SECRET     only an issuer’s secret, to mint tokens with

First steps, beside a running \`npm start\`:
  $ export PIXSEAL_SERVER=http://127.0.0.1:3000
  $ pixseal issuer create --name "My shop" --policy recommended --admin-key-file data/secrets.json
  $ export PIXSEAL_DSN='...'     the dsn it printed
  $ curl http://127.0.0.1:3000/admin/images -H "Authorization: Bearer ADMIN_API_KEY" \\
      -F issuer_id=ISSUER_ID -F public_id=shoes/red -F file=@photo.jpg     the key is in data/secrets.json
  $ pixseal token mint --image IMAGE_ID --step width=400,height=300,crop=fill --expires-in 1h --url
  $ pixseal explain 'THE_URL'

Exit codes: 0 done, 1 refused or failed (the reason is on standard error), 2 invalid command line.
Every command has a --help with examples.`;

/** Runs the command line. @returns the exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  // A reader such as `head` has closed the pipe.
  process.stdout.once('error', () => process.exit(FAILED));
  try {
    await createProgram().parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    // Commander has already printed the error or the help.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
    process.stderr.write(`${formatFailure(error, argv.includes('--json'))}\n`);
    return error instanceof UsageError ? USAGE : FAILED;
  }
}

function createProgram(): Command {
  const program = new Command('pixseal')
    .description('Create issuers, register images and overlays, mint tokens, and explain what a token does.')
    .version(readVersion())
    // `--version` is the program's version, but after `image add` the image's.
    .enablePositionalOptions()
    .configureHelp({ helpWidth: 110, visibleCommands: commandsBelow, subcommandTerm: formatUsage })
    .showHelpAfterError('Run it with --help to see options and examples.')
    .exitOverride()
    .addHelpText('after', HELP);
  // Global options may precede a command or follow it.
  addGlobalOptions(program).hook('preAction', (_, command) => {
    for (const [name, value] of Object.entries(program.opts())) {
      if (command.getOptionValue(name) === undefined) command.setOptionValue(name, value);
    }
  });
  addIssuerCommands(program);
  addAccountCommands(program);
  addKeysCommands(program);
  addImageCommands(program);
  addImportCommand(program);
  addOverlayCommands(program);
  addTokenCommands(program);
  addExplainCommand(program);
  addAdminKeyCommands(program);
  addServeCommand(program);
  return program;
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
