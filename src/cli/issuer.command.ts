import type { Command } from 'commander';
import { parsePolicy } from '../policy/recommended-policy.js';
import { UsageError } from './cli.errors.js';
import { addGlobalOptions, withBackend, type GlobalOptions } from './global-options.js';
import { readInput } from './input.js';
import { formatRows, note, print, printJson } from './output.js';

interface CreateOptions extends GlobalOptions {
  readonly name: string;
  readonly id?: string;
  readonly deliveryFormat?: string;
  readonly policy?: string;
  readonly account?: string;
}

export function addIssuerCommands(program: Command): void {
  const issuer = program.command('issuer').description('manage issuers, which sign tokens');
  addGlobalOptions(
    issuer
      .command('create')
      .summary('create an issuer and its first key')
      .description(
        'Creates an issuer: a tenant with its own images and overlays, and a key that signs tokens for them.\n' +
          'Prints its id, the key’s id, the secret, and the dsn, which contains all of them and the service’s address.\n' +
          'The secret is shown only once: the database stores it encrypted.',
      )
      .requiredOption('--name <name>', 'display name')
      .option('--id <uuid>', 'id to use (default: generated)')
      .option(
        '--delivery-format <format>',
        'extension of every delivered URL: jpg, png, webp, avif, …, or original for each image’s own (default: jpg)',
      )
      .option('--account <uuid>', 'the Cloudinary account of its images (default: that of CLOUDINARY_URL)')
      .option(
        '--policy <policy>',
        'the policy of its tokens: recommended, or a policy as JSON, or @file, or @- for standard input ' +
          '(default: the service’s DEFAULT_POLICY, else none)',
      ),
  )
    .addHelpText(
      'after',
      `
Policy:
  recommended is require_image_id, require_exp, strict and denied_effects ["generative"]: a token must name its image and
  expire, a misspelled key is refused, and no step generates a part of the image. Without a policy a token may open
  every image of the issuer forever. It can be changed later, in the console or with the admin API.

Examples:
  $ pixseal issuer create --name "My shop" --policy recommended
  $ pixseal issuer create --name "My shop" --policy '{"require_exp": true, "max_width": 1200, "max_height": 1200}'
  $ pixseal issuer create --name "My shop" --server http://127.0.0.1:3000 --admin-key-file data/secrets.json
  $ export PIXSEAL_DSN="$(pixseal issuer create --name "My shop" --json | jq -r .key.dsn)"`,
    )
    .action(createIssuer);
}

async function createIssuer(options: CreateOptions): Promise<void> {
  const policy = options.policy === undefined ? undefined : readPolicy(options.policy);
  const issuer = await withBackend(options, (backend) =>
    backend.createIssuer({
      id: options.id,
      name: options.name,
      delivery_format: options.deliveryFormat,
      account_id: options.account,
      policy,
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
      ...(issuer.account_id === null ? [] : [['account', issuer.account_id] as const]),
      ['policy', Object.keys(issuer.policy).length === 0 ? null : JSON.stringify(issuer.policy)],
      ['key', issuer.key.id],
      ['secret', issuer.key.secret],
      ['dsn', issuer.key.dsn],
    ]),
  );
  note(
    'the secret, and the dsn that contains it, are shown only once: store them where your backend can read them',
  );
}

/** The policy of `--policy`; the backend validates it. @throws UsageError */
function readPolicy(text: string): unknown {
  const { document, fault } = parsePolicy(text.startsWith('@') ? readInput(text.slice(1)) : text);
  if (fault === null) return document;
  throw new UsageError(`--policy${fault}.`);
}
