import type { Command } from 'commander';
import { addGlobalOptions, withBackend, type GlobalOptions } from './global-options.js';
import { formatRows, note, print, printJson } from './output.js';

interface CreateOptions extends GlobalOptions {
  readonly name: string;
  readonly id?: string;
  readonly deliveryFormat?: string;
}

export function addIssuerCommands(program: Command): void {
  const issuer = program.command('issuer').description('issuers: who may seal tokens');
  addGlobalOptions(
    issuer
      .command('create')
      .summary('create an issuer and its first key')
      .description(
        'Creates an issuer: a tenant with images and overlays of its own, and a key that seals tokens for them.\n' +
          'Prints its id, the key’s id, the secret, and the dsn, which holds all of them and the service’s address.\n' +
          'The secret is shown this once: the database keeps it encrypted.',
      )
      .requiredOption('--name <name>', 'what people call it')
      .option('--id <uuid>', 'the id, where you bring your own (default: made)')
      .option(
        '--delivery-format <format>',
        'extension of every delivered URL: jpg, png, webp, avif, … (default: jpg)',
      ),
  )
    .addHelpText(
      'after',
      `
Examples:
  $ pixseal issuer create --name "My shop"
  $ pixseal issuer create --name "My shop" --server http://127.0.0.1:3000 --admin-key-file data/secrets.json
  $ export PIXSEAL_DSN="$(pixseal issuer create --name "My shop" --json | jq -r .key.dsn)"`,
    )
    .action(createIssuer);
}

async function createIssuer(options: CreateOptions): Promise<void> {
  const issuer = await withBackend(options, (backend) =>
    backend.createIssuer({
      id: options.id,
      name: options.name,
      delivery_format: options.deliveryFormat,
    }),
  );
  if (options.json) {
    printJson(issuer);
    return;
  }
  print(
    ...formatRows([
      ['issuer', issuer.id],
      ['name', issuer.name],
      ['format', issuer.delivery_format],
      ['key', issuer.key.id],
      ['secret', issuer.key.secret],
      ['dsn', issuer.key.dsn],
    ]),
  );
  note('the secret, and the dsn that holds it, are shown this once: keep them where your backend finds them');
}
