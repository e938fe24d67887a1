import type { Command } from 'commander';
import type { KeyView } from '../admin/issuers/issuer.view.js';
import type { Json } from './backend.js';
import { UsageError } from './cli.errors.js';
import { readDuration } from './duration.js';
import { addGlobalOptions, withBackend, type GlobalOptions } from './global-options.js';
import { readInput } from './input.js';
import { rowsOfKey, SECRET_NOTE } from './issuer.command.js';
import { requireIssuerId } from './issuer-secret.js';
import { type PublicKeyOptions, readPublicKeyOptions } from './public-key-options.js';
import { formatList, formatRows, note, printResult } from './output.js';

interface KeyOptions extends GlobalOptions {
  readonly issuer?: string;
}

interface RotateOptions extends KeyOptions, PublicKeyOptions {
  readonly overlap: string;
  readonly secretFile?: string;
}

interface UpdateOptions extends KeyOptions {
  readonly notBefore?: string;
  readonly notAfter?: string;
}

const KEY = '5f0c1d2e-8a41-4d7e-b2d3-6c7e8f901234';
const ISSUER = 'cfd3b472-dbba-4089-bce7-f5c1e413b5c1';

export function addKeyCommands(program: Command): void {
  const key = program.command('key').description('manage the keys with which an issuer signs tokens');
  addKeyCommand(
    key
      .command('rotate')
      .summary('create a key, and let the former ones expire')
      .description(
        'Creates a key and prints its secret and dsn, once; a public key has neither. The active former keys expire after ' +
          '--overlap: until then tokens of all are accepted, and then only those of the new key, whatever their own exp.',
      )
      .option(
        '--overlap <duration>',
        'how long the former keys stay valid: 15m, 1h, 7d; 0s expires them at once',
        '1d',
      )
      .option('--public-key <file>', 'a public key in PEM or as a JWK, - for standard input')
      .option('--algorithm <name>', 'the alg of its tokens (default: HS256, with a secret)')
      .option('--secret-file <file>', 'a file with the secret, - for standard input (default: generated)'),
  )
    .addHelpText(
      'after',
      `
Examples:
  $ pixseal key rotate --issuer ${ISSUER} --overlap 7d
  $ pixseal key rotate --issuer ${ISSUER} --public-key public.pem --algorithm EdDSA
  $ export PIXSEAL_DSN="$(pixseal key rotate --json | jq -r .key.dsn)"`,
    )
    .action(rotateKey);
  addKeyCommand(
    key
      .command('list')
      .summary('list the keys of an issuer')
      .description('Lists the keys of an issuer, without the secrets.'),
  )
    .addHelpText('after', `\nExamples:\n  $ pixseal key list --issuer ${ISSUER}`)
    .action(listKeys);
  addKeyCommand(
    key
      .command('update')
      .summary('set when a key is valid')
      .description('Sets when a key becomes valid and when it expires.')
      .argument('<id>', 'the key’s id')
      .option('--not-before <time>', "when it becomes valid; '' for at once")
      .option('--not-after <time>', "when it expires, such as 2030-01-31T12:00:00Z; '' for never"),
  )
    .addHelpText(
      'after',
      `\nExamples:\n  $ pixseal key update ${KEY} --issuer ${ISSUER} --not-after 2030-01-31T12:00:00Z`,
    )
    .action(updateKey);
  addKeyCommand(
    key
      .command('revoke')
      .summary('delete a key: its tokens are refused')
      .description('Deletes a key: every running service refuses its tokens within a second.')
      .argument('<id>', 'the key’s id'),
  )
    .addHelpText('after', `\nExamples:\n  $ pixseal key revoke ${KEY} --issuer ${ISSUER}`)
    .action(revokeKey);
}

function addKeyCommand(command: Command): Command {
  return addGlobalOptions(
    command.option('--issuer <uuid>', 'the issuer of the key; optional if PIXSEAL_DSN contains it'),
  );
}

async function rotateKey(options: RotateOptions): Promise<void> {
  const issuerId = requireIssuerId(options.issuer);
  const overlap = options.overlap === '0s' ? 0 : readDuration('--overlap', options.overlap);
  const { secretFile } = options;
  if (secretFile !== undefined && options.publicKey !== undefined) {
    throw new UsageError('--secret-file and --public-key exclude each other.');
  }
  const input = readPublicKeyOptions(options);
  const secret = secretFile === undefined ? undefined : readInput(secretFile);
  if (secret === '') throw new UsageError('--secret-file does not contain a secret.');
  await withBackend(options, async (backend) => {
    const { keys } = await backend.getIssuer(issuerId);
    const key = await backend.addKey(issuerId, { ...input, secret });
    const expiring: Json<KeyView>[] = [];
    try {
      const now = Date.now();
      const end = now + overlap * 1000;
      const former = keys.filter(
        ({ not_before: start, not_after: expiry }) =>
          (start === null || Date.parse(start) < now) && (expiry === null || Date.parse(expiry) > end),
      );
      const notAfter = new Date(end).toISOString();
      for (const { id } of former) {
        expiring.push(await backend.updateKey(issuerId, id, { not_after: notAfter }));
      }
    } finally {
      // After a failure too: a new secret is shown only now.
      printResult({ key, expiring }, () => [
        ...formatRows([
          ['key', key.id],
          ['algorithm', key.algorithm],
          ['secret', key.secret],
          ['dsn', key.dsn],
        ]),
        ...expiring.flatMap((each) => ['', ...formatRows(rowsOfKey(each))]),
      ]);
      if (!options.json && key.secret !== null) note(SECRET_NOTE);
    }
  });
}

async function listKeys(options: KeyOptions): Promise<void> {
  const issuerId = requireIssuerId(options.issuer);
  const { keys } = await withBackend(options, (backend) => backend.getIssuer(issuerId));
  printResult(keys, () => formatList(keys, rowsOfKey));
}

async function updateKey(id: string, options: UpdateOptions): Promise<void> {
  const issuerId = requireIssuerId(options.issuer);
  const { notBefore, notAfter } = options;
  const key = await withBackend(options, (backend) =>
    backend.updateKey(issuerId, id, {
      not_before: notBefore === '' ? null : notBefore,
      not_after: notAfter === '' ? null : notAfter,
    }),
  );
  printResult(key, () => formatRows(rowsOfKey(key)));
}

async function revokeKey(id: string, options: KeyOptions): Promise<void> {
  const issuerId = requireIssuerId(options.issuer);
  await withBackend(options, (backend) => backend.revokeKey(issuerId, id));
  printResult({ id, revoked: true }, () => [`revoked  ${id}`]);
}
