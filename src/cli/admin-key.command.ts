import { Option, type Command } from 'commander';
import type { AdminKeyView } from '../admin/access/admin-key.view.js';
import { SCOPES } from '../platform/actor/actor.js';
import type { Json } from './backend.js';
import { addGlobalOptions, withBackend, type GlobalOptions } from './global-options.js';
import { formatList, formatRows, note, printResult, type Row } from './output.js';
import { RequiredOption } from './required-option.js';

interface CreateOptions extends GlobalOptions {
  readonly name: string;
  readonly scope?: readonly string[];
  readonly issuer?: string;
  readonly expiresAt?: string;
}

export function addAdminKeyCommands(program: Command): void {
  const adminKey = program
    .command('admin-key')
    .description('manage admin keys, which grant access to the admin API');
  addGlobalOptions(
    adminKey
      .command('create')
      .summary('create an admin key')
      .description(
        'Creates an admin key and prints it. It is shown only once: the database stores its SHA-256.\n' +
          'The keys of ADMIN_API_KEYS remain valid and grant full access.',
      )
      .addOption(new RequiredOption('--name <name>', 'its owner or purpose'))
      .addOption(
        new Option('--scope <scopes...>', 'read-only or read-write; may be repeated (default: both)').choices(
          SCOPES,
        ),
      )
      .option(
        '--issuer <uuid>',
        'the only issuer whose keys, images and overlays it can access (default: all)',
      )
      .option('--expires-at <time>', 'when it expires, such as 2030-01-31T12:00:00Z (default: never)'),
  )
    .addHelpText(
      'after',
      `
Examples:
  $ pixseal admin-key create --name "Reports" --scope read --expires-at 2030-01-31T12:00:00Z
  $ pixseal admin-key create --name "My shop" --issuer cfd3b472-dbba-4089-bce7-f5c1e413b5c1`,
    )
    .action(createAdminKey);
  addGlobalOptions(
    adminKey
      .command('list')
      .summary('list admin keys')
      .description('Lists the created admin keys, without the keys themselves.'),
  )
    .addHelpText('after', '\nExamples:\n  $ pixseal admin-key list --json')
    .action(listAdminKeys);
  addGlobalOptions(
    adminKey
      .command('revoke')
      .summary('revoke an admin key')
      .description('Revokes an admin key: every running service refuses it within a second.')
      .argument('<id>', 'its id, as printed by create and list'),
  )
    .addHelpText('after', '\nExamples:\n  $ pixseal admin-key revoke 0b1c6a0e-5a53-4f0e-9b0e-3a4f6c1b2d11')
    .action(revokeAdminKey);
}

async function createAdminKey(options: CreateOptions): Promise<void> {
  const input = {
    name: options.name,
    scopes: options.scope ?? SCOPES,
    issuer_id: options.issuer,
    expires_at: options.expiresAt,
  };
  const created = await withBackend(options, (backend) => backend.createAdminKey(input), {
    createDatabase: true,
  });
  printResult(created, () => formatRows([...rowsOf(created), ['key', created.key]]));
  if (!options.json) note('the key is shown only once');
}

async function listAdminKeys(options: GlobalOptions): Promise<void> {
  const keys = await withBackend(options, (backend) => backend.listAdminKeys());
  printResult(keys, () => formatList(keys, rowsOf));
}

async function revokeAdminKey(id: string, options: GlobalOptions): Promise<void> {
  await withBackend(options, (backend) => backend.revokeAdminKey(id));
  printResult({ id, revoked: true }, () => [`revoked  ${id}`]);
}

function rowsOf(key: Json<AdminKeyView>): Row[] {
  return [
    ['admin key', key.id],
    ['name', key.name],
    ['prefix', key.prefix],
    ['scopes', key.scopes.join(', ')],
    ['issuer', key.issuer_id],
    ['expires', key.expires_at],
    ['last used', key.last_used_at],
  ];
}
