import type { Command } from 'commander';
import type { IssuerView, KeyView } from '../admin/issuers/issuer.view.js';
import type { Json } from './backend.js';
import { addGlobalOptions, withBackend, type GlobalOptions } from './global-options.js';
import { formatList, formatRows, note, printResult, type Row } from './output.js';
import { readPolicy } from './policy.command.js';
import {
  addProviderOptions,
  type ProviderOptions,
  type PublicKeyOptions,
  readProviderOptions,
  readPublicKeyOptions,
} from './public-key-options.js';
import { RequiredOption } from './required-option.js';

interface CreateOptions extends GlobalOptions, ProviderOptions, PublicKeyOptions {
  readonly name: string;
  readonly id?: string;
  readonly deliveryFormat?: string;
  readonly policy?: string;
  readonly account?: string;
}

interface UpdateOptions extends GlobalOptions, ProviderOptions {
  readonly name?: string;
  readonly deliveryFormat?: string;
  readonly account?: string;
  readonly disabled?: boolean;
  readonly notBefore?: string;
}

const ID = 'its id, as printed by create and list';
const FORMAT = 'extension of every delivered URL: jpg, png, webp, avif, …, or original for each image’s own';
const EXAMPLE = 'cfd3b472-dbba-4089-bce7-f5c1e413b5c1';

/** The note beside a secret that was created. */
export const SECRET_NOTE =
  'the secret, and the dsn that contains it, are shown only once: store them where your backend can read them';

export function addIssuerCommands(program: Command): void {
  const issuer = program.command('issuer').description('manage issuers, which sign tokens');
  const create = addGlobalOptions(
    issuer
      .command('create')
      .summary('create an issuer and its first key')
      .description(
        'Creates an issuer: a tenant with its own images and overlays, and a key that signs tokens for them.\n' +
          'Prints its id, the key’s id, the secret, and the dsn, which contains all of them and the service’s address.\n' +
          'The secret is shown only once: the database stores it encrypted.',
      )
      .addOption(new RequiredOption('--name <name>', 'display name'))
      .option('--id <uuid>', 'id to use (default: generated)')
      .option('--delivery-format <format>', `${FORMAT} (default: jpg)`)
      .option('--account <uuid>', 'the Cloudinary account of its images (default: that of CLOUDINARY_URL)')
      .option(
        '--policy <policy>',
        'the policy of its tokens: recommended, or a policy as JSON, or @file, or @- for standard input ' +
          '(default: the service’s DEFAULT_POLICY, else none)',
      )
      .option('--public-key <file>', 'its first key: a public key in PEM or as a JWK, - for standard input')
      .option('--algorithm <name>', 'the alg of that key’s tokens (default: HS256, with a secret)'),
  );
  addProviderOptions(create)
    .addHelpText(
      'after',
      `
Policy:
  recommended is require_image_id, require_exp, strict and denied_effects ["generative"]: a token must name its image and
  expire, a misspelled key is refused, and no step generates a part of the image. Without a policy a token may open
  every image of the issuer forever. \`policy set\` changes it later.

Examples:
  $ pixseal issuer create --name "My shop" --policy recommended
  $ pixseal issuer create --name "My shop" --policy '{"require_exp": true, "max_width": 1200, "max_height": 1200}'
  $ pixseal issuer create --name "My shop" --server https://img.example.com --admin-key-file admin.key
  $ pixseal issuer create --name "My shop" --public-key public.pem --algorithm EdDSA
  $ export PIXSEAL_DSN="$(pixseal issuer create --name "My shop" --json | jq -r .key.dsn)"`,
    )
    .action(createIssuer);
  addGlobalOptions(issuer.command('list').summary('list issuers').description('Lists the issuers.'))
    .addHelpText('after', '\nExamples:\n  $ pixseal issuer list --json')
    .action(listIssuers);
  addGlobalOptions(
    issuer
      .command('show')
      .summary('show an issuer and its keys')
      .description('Shows an issuer and its keys, without the secrets.')
      .argument('<id>', ID),
  )
    .addHelpText('after', `\nExamples:\n  $ pixseal issuer show ${EXAMPLE}`)
    .action(showIssuer);
  const update = addGlobalOptions(
    issuer
      .command('update')
      .summary('change an issuer')
      .description('Changes an issuer. It takes effect within a second.')
      .argument('<id>', ID)
      .option('--name <name>', 'display name')
      .option('--delivery-format <format>', FORMAT)
      .option('--account <uuid>', "the Cloudinary account of its images; '' for that of CLOUDINARY_URL")
      .option('--not-before <time>', "refuse tokens with an older iat, or none; '' for no such limit")
      .option('--disabled', 'refuse all of its tokens')
      .option('--no-disabled', 'accept its tokens again'),
  );
  addProviderOptions(update)
    .addHelpText(
      'after',
      `
Examples:
  $ pixseal issuer update ${EXAMPLE} --name "My new shop" --delivery-format webp
  $ pixseal issuer update ${EXAMPLE} --disabled`,
    )
    .action(updateIssuer);
  addGlobalOptions(
    issuer
      .command('delete')
      .summary('delete an issuer without images and overlays')
      .description('Deletes an issuer, its keys and revocations. It must have no images and overlays.')
      .argument('<id>', ID),
  )
    .addHelpText('after', `\nExamples:\n  $ pixseal issuer delete ${EXAMPLE}`)
    .action(deleteIssuer);
}

async function createIssuer(options: CreateOptions): Promise<void> {
  const policy = options.policy === undefined ? undefined : readPolicy('--policy', options.policy);
  const input = {
    id: options.id,
    name: options.name,
    delivery_format: options.deliveryFormat,
    account_id: options.account,
    policy,
    key: readPublicKeyOptions(options),
    ...readProviderOptions(options),
  };
  const issuer = await withBackend(options, (backend) => backend.createIssuer(input), {
    createDatabase: true,
  });
  printResult(issuer, () =>
    formatRows([
      ['issuer', issuer.id],
      ['name', issuer.name],
      ['format', issuer.delivery_format],
      ...(issuer.account_id === null ? [] : [['account', issuer.account_id] as const]),
      ['policy', formatPolicy(issuer)],
      ['key', issuer.key.id],
      ['secret', issuer.key.secret],
      ['dsn', issuer.key.dsn],
    ]),
  );
  if (!options.json && issuer.key.secret !== null) note(SECRET_NOTE);
}

async function listIssuers(options: GlobalOptions): Promise<void> {
  const issuers = await withBackend(options, (backend) => backend.listIssuers());
  printResult(issuers, () => formatList(issuers, rowsOf));
}

async function showIssuer(id: string, options: GlobalOptions): Promise<void> {
  const issuer = await withBackend(options, (backend) => backend.getIssuer(id));
  printResult(issuer, () => [
    ...formatRows(rowsOf(issuer)),
    ...issuer.keys.flatMap((key) => ['', ...formatRows(rowsOfKey(key))]),
  ]);
}

async function updateIssuer(id: string, options: UpdateOptions): Promise<void> {
  const { name, deliveryFormat, account, disabled, notBefore } = options;
  const issuer = await withBackend(options, (backend) =>
    backend.updateIssuer(id, {
      name,
      delivery_format: deliveryFormat,
      account_id: account === '' ? null : account,
      disabled,
      not_before: notBefore === '' ? null : notBefore,
      ...readProviderOptions(options),
    }),
  );
  printResult(issuer, () => formatRows(rowsOf(issuer)));
}

async function deleteIssuer(id: string, options: GlobalOptions): Promise<void> {
  await withBackend(options, (backend) => backend.deleteIssuer(id));
  printResult({ id, deleted: true }, () => [`deleted  ${id}`]);
}

function rowsOf(issuer: Json<IssuerView>): Row[] {
  return [
    ['issuer', issuer.id],
    ['name', issuer.name],
    ['format', issuer.delivery_format],
    ['account', issuer.account_id],
    ['state', issuer.disabled ? 'disabled' : 'enabled'],
    ['not before', issuer.not_before],
    ['also iss', issuer.iss_aliases.length === 0 ? null : issuer.iss_aliases.join(' ')],
    ['aud', issuer.aud],
    ['jwks url', issuer.jwks_url],
    ['policy', formatPolicy(issuer)],
  ];
}

/** A key of an issuer, without its secret. */
export function rowsOfKey(key: Json<KeyView>): Row[] {
  return [
    ['key', key.id],
    ['algorithm', key.algorithm],
    ['not before', key.not_before],
    ['not after', key.not_after],
    ['uses', key.uses],
    ['last used', key.last_used_at],
  ];
}

function formatPolicy({ policy }: Pick<Json<IssuerView>, 'policy'>): string | null {
  return Object.keys(policy).length === 0 ? null : JSON.stringify(policy);
}
