import { Option, type Command } from 'commander';
import type { AccountSecretView, AccountView } from '../admin/accounts/account.view.js';
import { URL_SIGNATURES } from '../domain/url-signature.js';
import type { Json } from './backend.js';
import { UsageError } from './cli.errors.js';
import { addGlobalOptions, withBackend, type GlobalOptions } from './global-options.js';
import { readInput } from './input.js';
import { formatList, formatRows, note, printResult, type Row } from './output.js';
import { RequiredOption } from './required-option.js';

interface SettingOptions extends GlobalOptions {
  readonly host?: string;
  readonly privateCdn?: boolean;
  readonly uploadPrefix?: string;
  readonly signature?: string;
  readonly authTokenKeyFile?: string;
}

interface SecretOptions {
  readonly apiKey: string;
  readonly apiSecretFile: string;
}

interface CreateOptions extends SettingOptions, SecretOptions {
  readonly name: string;
  readonly cloudName: string;
  readonly id?: string;
}

interface UpdateOptions extends SettingOptions {
  readonly name?: string;
  readonly disabled?: boolean;
}

interface AddSecretOptions extends GlobalOptions, SecretOptions {
  readonly signs?: true;
  readonly notAfter?: string;
}

interface UpdateSecretOptions extends GlobalOptions {
  readonly signs?: true;
  readonly notAfter?: string;
}

const ID = 'its id, as printed by create and list';

export function addAccountCommands(program: Command): void {
  const account = program
    .command('account')
    .description('manage Cloudinary accounts beside that of CLOUDINARY_URL');
  addSecretOptions(
    addSettingOptions(
      account
        .command('create')
        .summary('create an account and its first secret')
        .description(
          'Creates a Cloudinary account and its first secret, which signs URLs and API calls.\n' +
            'The secret is stored encrypted, and never shown. Issuers use the account by `issuer create --account`.',
        )
        .addOption(new RequiredOption('--name <name>', 'display name'))
        .addOption(new RequiredOption('--cloud-name <name>', 'the cloud’s name, which cannot be changed'))
        .option('--id <uuid>', 'id to use (default: generated)'),
    ),
  )
    .addHelpText(
      'after',
      `
Examples:
  $ pixseal account create --name "My agency" --cloud-name my-cloud --api-key 123456789012345 --api-secret-file -
  $ pixseal account create --name "EU" --cloud-name my-cloud-eu --api-key 123456789012345 --api-secret-file secret.txt \\
      --upload-prefix https://api-eu.cloudinary.com --private-cdn --host img.example.com`,
    )
    .action(createAccount);
  addGlobalOptions(
    account.command('list').summary('list accounts').description('Lists the accounts, without secrets.'),
  )
    .addHelpText('after', '\nExamples:\n  $ pixseal account list --json')
    .action(listAccounts);
  addGlobalOptions(
    account
      .command('show')
      .summary('show an account and its API keys')
      .description('Shows an account and its API keys, without the secrets.')
      .argument('<id>', ID),
  )
    .addHelpText('after', '\nExamples:\n  $ pixseal account show 0b1c6a0e-5a53-4f0e-9b0e-3a4f6c1b2d11')
    .action(showAccount);
  addSettingOptions(
    account
      .command('update')
      .summary('change an account')
      .description('Changes the settings of an account. They take effect at once.')
      .argument('<id>', ID)
      .option('--name <name>', 'display name')
      .option('--no-private-cdn', 'the account has no private CDN')
      .option('--disabled', 'deliver, upload and receive nothing for its issuers')
      .option('--no-disabled', 'enable it again'),
  )
    .addHelpText(
      'after',
      `
--host and --auth-token-key-file take an empty value to remove the setting.

Examples:
  $ pixseal account update 0b1c6a0e-5a53-4f0e-9b0e-3a4f6c1b2d11 --host img.example.com
  $ pixseal account update 0b1c6a0e-5a53-4f0e-9b0e-3a4f6c1b2d11 --host ''`,
    )
    .action(updateAccount);
  addGlobalOptions(
    account
      .command('delete')
      .summary('delete an account without issuers')
      .description('Deletes an account that no issuer uses.')
      .argument('<id>', ID),
  )
    .addHelpText('after', '\nExamples:\n  $ pixseal account delete 0b1c6a0e-5a53-4f0e-9b0e-3a4f6c1b2d11')
    .action(deleteAccount);
  addSecretCommands(account);
}

function addSecretCommands(account: Command): void {
  const secret = account.command('secret').description('manage the secrets of an account, to rotate them');
  addGlobalOptions(
    addSecretOptions(
      secret
        .command('add')
        .summary('add a secret of an account')
        .description(
          'Adds an API key with its secret. Notifications signed with it are accepted; it signs URLs and API calls only ' +
            'with --signs.',
        )
        .argument('<account>', 'the account’s id')
        .option('--signs', 'let it sign URLs and API calls instead of the present one')
        .option('--not-after <time>', 'refuse notifications signed with it from then on (default: never)'),
    ),
  )
    .addHelpText(
      'after',
      `
Examples:
  $ pixseal account secret add 0b1c6a0e-5a53-4f0e-9b0e-3a4f6c1b2d11 --api-key 543210987654321 --api-secret-file -`,
    )
    .action(addSecret);
  addGlobalOptions(
    secret
      .command('list')
      .summary('list the API keys of an account')
      .description('Lists the API keys of an account, without the secrets.')
      .argument('<account>', 'the account’s id'),
  )
    .addHelpText('after', '\nExamples:\n  $ pixseal account secret list 0b1c6a0e-5a53-4f0e-9b0e-3a4f6c1b2d11')
    .action(listSecrets);
  addGlobalOptions(
    secret
      .command('update')
      .summary('let a secret sign, or set when it expires')
      .description(
        'Lets a secret sign URLs and API calls instead of the present one, or sets when it expires.',
      )
      .argument('<account>', 'the account’s id')
      .argument('<id>', 'the secret’s id')
      .option('--signs', 'let it sign')
      .option('--not-after <time>', 'refuse notifications signed with it from then on'),
  )
    .addHelpText(
      'after',
      `
Examples:
  $ pixseal account secret update 0b1c6a0e-5a53-4f0e-9b0e-3a4f6c1b2d11 5f0c1d2e-8a41-4d7e-b2d3-6c7e8f901234 --signs`,
    )
    .action(updateSecret);
  addGlobalOptions(
    secret
      .command('revoke')
      .summary('delete a secret of an account')
      .description('Deletes a secret: notifications signed with it are refused at once.')
      .argument('<account>', 'the account’s id')
      .argument('<id>', 'the secret’s id'),
  )
    .addHelpText(
      'after',
      `
Examples:
  $ pixseal account secret revoke 0b1c6a0e-5a53-4f0e-9b0e-3a4f6c1b2d11 5f0c1d2e-8a41-4d7e-b2d3-6c7e8f901234`,
    )
    .action(revokeSecret);
}

function addSettingOptions(command: Command): Command {
  return addGlobalOptions(
    command
      .option('--host <host>', 'the host of its delivery URLs, for a CNAME or a custom host')
      .option('--private-cdn', 'its URLs omit the cloud’s name')
      .option('--upload-prefix <url>', 'the origin of the upload API (default: https://api.cloudinary.com)')
      .addOption(
        new Option('--signature <signature>', 'how its URLs are signed (default: sha1)').choices(
          URL_SIGNATURES,
        ),
      )
      .option(
        '--auth-token-key-file <file>',
        'a file with its key of token-based authentication, - for standard input',
      ),
  );
}

/** The secret is never an argument: other users could read it in the process list. */
function addSecretOptions(command: Command): Command {
  return command
    .addOption(new RequiredOption('--api-key <key>', 'its API key'))
    .addOption(
      new RequiredOption('--api-secret-file <file>', 'a file with its API secret, - for standard input'),
    );
}

async function createAccount(options: CreateOptions): Promise<void> {
  const input = {
    ...settingsOf(options),
    id: options.id,
    name: options.name,
    cloud_name: options.cloudName,
    ...secretOf(options),
  };
  const account = await withBackend(options, (backend) => backend.createAccount(input), {
    createDatabase: true,
  });
  printResult(account, () => [...formatRows(rowsOf(account)), ...formatSecrets(account.secrets)]);
}

async function listAccounts(options: GlobalOptions): Promise<void> {
  const accounts = await withBackend(options, (backend) => backend.listAccounts());
  printResult(accounts, () => formatList(accounts, rowsOf));
}

async function showAccount(id: string, options: GlobalOptions): Promise<void> {
  const account = await withBackend(options, (backend) => backend.getAccount(id));
  printResult(account, () => [...formatRows(rowsOf(account)), ...formatSecrets(account.secrets)]);
}

async function updateAccount(id: string, options: UpdateOptions): Promise<void> {
  const input = { ...settingsOf(options), name: options.name, disabled: options.disabled };
  const account = await withBackend(options, (backend) => backend.updateAccount(id, input));
  printResult(account, () => formatRows(rowsOf(account)));
}

async function deleteAccount(id: string, options: GlobalOptions): Promise<void> {
  await withBackend(options, (backend) => backend.deleteAccount(id));
  printResult({ id, deleted: true }, () => [`deleted  ${id}`]);
}

async function addSecret(accountId: string, options: AddSecretOptions): Promise<void> {
  const input = { ...secretOf(options), signs: options.signs, not_after: options.notAfter };
  const secret = await withBackend(options, (backend) => backend.addAccountSecret(accountId, input));
  printResult(secret, () => formatRows(rowsOfSecret(secret)));
  if (!secret.signs) note('it signs nothing yet: `account secret update --signs` lets it sign');
}

async function listSecrets(accountId: string, options: GlobalOptions): Promise<void> {
  const { secrets } = await withBackend(options, (backend) => backend.getAccount(accountId));
  printResult(secrets, () => formatSecrets(secrets).slice(1));
}

async function updateSecret(accountId: string, id: string, options: UpdateSecretOptions): Promise<void> {
  const input = { signs: options.signs, not_after: options.notAfter };
  const secret = await withBackend(options, (backend) => backend.updateAccountSecret(accountId, id, input));
  printResult(secret, () => formatRows(rowsOfSecret(secret)));
}

async function revokeSecret(accountId: string, id: string, options: GlobalOptions): Promise<void> {
  await withBackend(options, (backend) => backend.revokeAccountSecret(accountId, id));
  printResult({ id, revoked: true }, () => [`revoked  ${id}`]);
}

/** An empty host or file removes the setting. */
function settingsOf({
  host,
  privateCdn,
  uploadPrefix,
  signature,
  authTokenKeyFile: file,
}: SettingOptions): object {
  return {
    host: host === '' ? null : host,
    private_cdn: privateCdn,
    upload_prefix: uploadPrefix,
    signature,
    ...(file === undefined ? {} : { auth_token_key: file === '' ? null : readInput(file).trim() }),
  };
}

/** @throws UsageError */
function secretOf({ apiKey, apiSecretFile }: SecretOptions): { api_key: string; api_secret: string } {
  const secret = readInput(apiSecretFile).trim();
  if (secret === '') throw new UsageError('--api-secret-file does not contain a secret.');
  return { api_key: apiKey, api_secret: secret };
}

function rowsOf(account: Json<AccountView>): Row[] {
  return [
    ['account', account.id],
    ['name', account.name],
    ['cloud', account.cloud_name],
    ['host', account.host],
    ['private CDN', account.private_cdn ? 'yes' : 'no'],
    ['upload API', account.upload_prefix],
    ['signature', account.signature],
    ['token key', account.has_auth_token_key ? 'set' : null],
    ['state', account.disabled ? 'disabled' : 'enabled'],
  ];
}

function rowsOfSecret(secret: Json<AccountSecretView>): Row[] {
  return [
    ['secret', secret.id],
    ['API key', secret.api_key],
    ['signs', secret.signs ? 'yes' : 'no'],
    ['not after', secret.not_after],
  ];
}

function formatSecrets(secrets: readonly Json<AccountSecretView>[]): string[] {
  return secrets.flatMap((secret) => ['', ...formatRows(rowsOfSecret(secret))]);
}
