import { type Command, Option } from 'commander';
import type { RevocationView } from '../admin/revocations/revocation.view.js';
import { readCompactJws, readPayload } from '../tokens/compact-jws.js';
import type { Json } from './backend.js';
import { UsageError } from './cli.errors.js';
import { addGlobalOptions, withBackend, type GlobalOptions } from './global-options.js';
import { readInput } from './input.js';
import { requireIssuerId } from './issuer-secret.js';
import { formatList, formatRows, note, printResult, type Row } from './output.js';

interface IssuerOptions extends GlobalOptions {
  readonly issuer?: string;
}

interface RevokeOptions extends IssuerOptions {
  readonly session?: string;
  readonly image?: string;
  readonly all?: true;
  readonly expiresAt?: string;
}

/** One token or one session, and the `exp` of its last token. */
interface Revoked {
  readonly jti?: string;
  readonly session_id?: string;
  readonly expires_at?: string;
}

const TARGETS = ['session', 'image', 'all'] as const;
const REVOCATION = '7b9f1c7e-2c7f-4a44-8a51-1f2f3a4b5c6d';

export function addRevokeCommands(program: Command): void {
  addGlobalOptions(
    program
      .command('revoke')
      .summary('refuse a token, a session, or all tokens signed until now')
      .description(
        'Refuses tokens that are valid otherwise. Every running service refuses them within a second.\n' +
          'A whole token is revoked by its jti, and the revocation is kept until its exp.',
      )
      .argument('[token|jti]', 'a token, or the jti of one; - reads it from standard input')
      .addOption(new Option('--session <id>', 'all tokens with this session_id').conflicts(['image', 'all']))
      .addOption(
        new Option('--image <uuid>', 'all tokens signed until now for this image').conflicts(['all']),
      )
      .option('--all', 'all tokens that the issuer signed until now')
      .option('--issuer <uuid>', 'the issuer of the tokens; optional if the token or PIXSEAL_DSN names it')
      .option(
        '--expires-at <time>',
        'the exp of the last token: the revocation is deleted after it (default: of the token, else kept)',
      ),
  )
    .addHelpText(
      'after',
      `
--image and --all also refuse tokens without iat.

Examples:
  $ pixseal revoke eyJ0…
  $ pixseal revoke order-4711 --issuer cfd3b472-dbba-4089-bce7-f5c1e413b5c1 --expires-at 2030-01-31T12:00:00Z
  $ pixseal revoke --session 5f0c1d2e
  $ pixseal revoke --image 161400d0-c894-42fd-8100-262361ea91ff`,
    )
    .action(revoke);

  const revocation = program.command('revocation').description('list and delete revocations');
  addGlobalOptions(
    revocation
      .command('list')
      .summary('list the revocations of an issuer')
      .description('Lists the revoked tokens and sessions of an issuer.')
      .option('--issuer <uuid>', 'the issuer; optional if PIXSEAL_DSN contains it'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  $ pixseal revocation list --issuer cfd3b472-dbba-4089-bce7-f5c1e413b5c1',
    )
    .action(listRevocations);
  addGlobalOptions(
    revocation
      .command('delete')
      .summary('accept the tokens of a revocation again')
      .description('Deletes a revocation: its tokens are valid again.')
      .argument('<id>', 'its id, as printed by revoke and list')
      .option('--issuer <uuid>', 'the issuer; optional if PIXSEAL_DSN contains it'),
  )
    .addHelpText('after', `\nExamples:\n  $ pixseal revocation delete ${REVOCATION}`)
    .action(deleteRevocation);
}

async function revoke(subject: string | undefined, options: RevokeOptions): Promise<void> {
  const chosen = TARGETS.filter((name) => options[name] !== undefined);
  if ((subject === undefined ? 0 : 1) + chosen.length !== 1) {
    throw new UsageError('Name what to revoke: a token or its jti, or --session, --image or --all.');
  }
  if (options.image !== undefined) return revokeImage(options.image, options);
  if (options.all === true) return revokeAll(options);
  const token = subject === undefined ? null : readToken(subject === '-' ? readInput('-').trim() : subject);
  const issuerId = requireIssuerId(options.issuer ?? token?.issuerId);
  const input: Revoked = {
    ...(token === null ? { session_id: options.session ?? '' } : token.revoked),
    ...(options.expiresAt === undefined ? {} : { expires_at: options.expiresAt }),
  };
  const revocation = await withBackend(options, (backend) => backend.revoke(issuerId, input));
  printResult(revocation, () => formatRows(rowsOf(revocation)));
}

/** @throws UsageError for a token without `jti`; InvalidTokenError for one that is not a JWT. */
function readToken(text: string): { readonly issuerId?: string; readonly revoked: Revoked } {
  if (!/^[\w-]+\.[\w-]+\.[\w-]*$/.test(text)) return { revoked: { jti: text } };
  const { iss, jti, exp } = readPayload(readCompactJws(text));
  if (typeof jti !== 'string') {
    throw new UsageError(
      'The token has no jti, so it cannot be revoked alone. Revoke its session, its image or all tokens of the issuer.',
    );
  }
  return {
    ...(typeof iss === 'string' ? { issuerId: iss } : {}),
    revoked: {
      jti,
      ...(typeof exp === 'number' ? { expires_at: new Date(exp * 1000).toISOString() } : {}),
    },
  };
}

async function revokeImage(id: string, options: RevokeOptions): Promise<void> {
  const image = await withBackend(options, (backend) => backend.images.update(id, { not_before: now() }));
  printResult(image, () =>
    formatRows([
      ['image', image.id],
      ['not before', image.not_before],
    ]),
  );
  noteClock();
}

async function revokeAll(options: RevokeOptions): Promise<void> {
  const id = requireIssuerId(options.issuer);
  const issuer = await withBackend(options, (backend) => backend.updateIssuer(id, { not_before: now() }));
  printResult(issuer, () =>
    formatRows([
      ['issuer', issuer.id],
      ['not before', issuer.not_before],
    ]),
  );
  noteClock();
}

const now = (): string => new Date().toISOString();

function noteClock(): void {
  note('tokens whose iat is older, or that have none, are refused: backends must set iat by a correct clock');
}

async function listRevocations(options: IssuerOptions): Promise<void> {
  const issuerId = requireIssuerId(options.issuer);
  const revocations = await withBackend(options, (backend) => backend.listRevocations(issuerId));
  printResult(revocations, () => formatList(revocations, rowsOf));
}

async function deleteRevocation(id: string, options: IssuerOptions): Promise<void> {
  const issuerId = requireIssuerId(options.issuer);
  await withBackend(options, (backend) => backend.deleteRevocation(issuerId, id));
  printResult({ id, deleted: true }, () => [`deleted  ${id}`]);
}

function rowsOf(revocation: Json<RevocationView>): Row[] {
  return [
    ['revocation', revocation.id],
    ...(revocation.jti === null ? [] : [['jti', revocation.jti] as const]),
    ...(revocation.session_id === null ? [] : [['session', revocation.session_id] as const]),
    ['revoked', revocation.revoked_at],
    ['expires', revocation.expires_at],
  ];
}
