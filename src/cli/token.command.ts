import { createSecretKey } from 'node:crypto';
import { Option, type Command } from 'commander';
import { HMAC_ALGORITHMS, type HmacAlgorithm } from '../tokens/signing-key.js';
import type { TokenKey } from '../tokens/token-signer.js';
import { canonicalUuid } from '../domain/uuid.js';
import { UsageError } from './cli.errors.js';
import { readDuration } from './duration.js';
import { addGlobalOptions, findServer, withBackend, type GlobalOptions } from './global-options.js';
import { findIssuerSecret, type IssuerSecret } from './issuer-secret.js';
import { note, printResult } from './output.js';
import { readStep, readSteps } from './steps.js';

interface MintOptions extends GlobalOptions {
  readonly issuer?: string;
  readonly secretFile?: string;
  readonly algorithm?: HmacAlgorithm;
  readonly kid?: string | true;
  readonly image?: readonly string[];
  readonly step?: readonly string[];
  readonly steps?: string;
  readonly expiresIn?: string;
  readonly download: boolean;
  readonly original?: true;
  readonly url?: true;
}

/** The issuer and key that sign a token, and the service that it is for. */
interface TokenTarget {
  readonly issuerId: string;
  readonly key: TokenKey;
  /** Of the service; null if no option or variable contains it. */
  readonly origin: string | null;
}

export function addTokenCommands(program: Command): void {
  const token = program.command('token').description('sign tokens, which grant access to images');
  addGlobalOptions(
    token
      .command('mint')
      .summary('sign a token, or print the whole URL')
      .description(
        'Signs a token and prints it or, with --url, the URL that opens the image. Prints a note on standard error ' +
          'if the token opens every image of the issuer, or never expires.\n ' +
          'With the secret of --secret-file, PIXSEAL_SECRET or PIXSEAL_DSN, no database or service is contacted.\n' +
          'Without one of them, the issuer’s newest active key is read from the database.\n' +
          'Validates the steps against the vocabulary; the service checks the issuer’s policy.',
      )
      .option('--issuer <uuid>', 'the issuer that signs it; optional if PIXSEAL_DSN contains it')
      .option(
        '--image <uuid>',
        'the image it opens; repeat it for several (default: every image of the issuer)',
        collect,
      )
      .option(
        '--step <step>',
        'a step as key=value,key=value or as a JSON object; repeat it for several, in their order',
        collect,
      )
      .addOption(
        new Option(
          '--steps <json>',
          'all steps as a JSON array, or @file, or @- for standard input',
        ).conflicts('step'),
      )
      .option('--expires-in <duration>', 'lifetime: 90s, 15m, 1h, 7d (default: it never expires)')
      .option('--no-download', 'display the image in browsers instead of downloading it')
      .option('--original', 'the original, without the base transformations and steps')
      .option('--secret-file <file>', 'a file with the issuer’s secret, - for standard input')
      .addOption(
        new Option('--algorithm <name>', 'algorithm of a secret that you supply (default: HS256)').choices(
          HMAC_ALGORITHMS,
        ),
      )
      .option(
        '--kid [key id]',
        'put the key’s id in the token’s header; with an id from the database, use that key',
      )
      .option('--url', 'print the URL, one for each --image'),
  )
    .addHelpText(
      'after',
      `
Steps:
  A step’s keys and values are those of Cloudinary’s SDKs: width, height, crop, gravity, angle, effect, … Numbers
  become numbers. An overlay is the id of a registered one, or a text. A value that contains a comma needs JSON.

Examples:
  $ pixseal token mint --issuer cfd3b472-dbba-4089-bce7-f5c1e413b5c1 --image 161400d0-c894-42fd-8100-262361ea91ff
  $ pixseal token mint --image 161400d0-c894-42fd-8100-262361ea91ff --url --expires-in 1h \\
      --step width=400,height=300,crop=fill --step overlay=3d616b4e-a597-4b23-aa3d-d7de678f0ba6,flags=tiled
  $ pixseal token mint --steps '[{"overlay":{"text":"Jane, 5 May","font_family":"Arial","font_size":40}}]'
  $ pixseal token mint --steps @steps.json --kid --no-download
  $ pixseal token mint --step angle=90 | pixseal explain - --image 161400d0-c894-42fd-8100-262361ea91ff`,
    )
    .action(mintToken);
}

function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

async function mintToken(options: MintOptions): Promise<void> {
  const images = (options.image ?? []).map((id) => requireUuid('--image', id));
  if (options.url && images.length === 0) {
    throw new UsageError('--url requires an image: name it with --image.');
  }
  const lifetime = options.expiresIn === undefined ? null : readDuration('--expires-in', options.expiresIn);
  const steps = await readCheckedSteps(options);
  const { issuerId, key, origin } = await findTarget(options);
  if (options.url && origin === null) {
    throw new UsageError(
      '--url requires the service’s address: pass --server, or set PIXSEAL_SERVER or PIXSEAL_DSN.',
    );
  }

  const issuedAt = Math.floor(Date.now() / 1000);
  const payload = {
    iss: issuerId,
    iat: issuedAt,
    ...(lifetime === null ? {} : { exp: issuedAt + lifetime }),
    // A string binds the token to one image, an array to several.
    ...(images.length === 0 ? {} : { image_id: images.length === 1 ? images[0] : images }),
    ...(steps.length === 0 ? {} : { transformations: steps }),
    sharinpix: {
      ...(options.download ? {} : { download: false }),
      ...(options.original ? { original: true } : {}),
    },
  };
  const token = await sign(payload, key);
  const urls = options.url ? images.map((id) => `${origin ?? ''}/images/${id}?token=${token}`) : [];
  const result = { token, payload, ...(options.url ? { urls } : {}) };
  printResult(result, () => (options.url ? urls : [token]));
  if (images.length === 0) {
    note('the token opens every image of the issuer: limit it with --image');
  }
  if (lifetime === null) note('the token never expires: limit it with --expires-in');
}

/** @throws InvalidTransformationError (422) as the service does. */
async function readCheckedSteps({ step = [], steps }: MintOptions): Promise<readonly unknown[]> {
  const read = steps === undefined ? step.map(readStep) : readSteps(steps);
  const { TransformationMapper } = await import('../transformations/transformation.mapper.js');
  for (const { step: position, ignored } of new TransformationMapper().map(read).steps) {
    for (const { key, reason } of ignored) note(`step ${position}: ${key} is ignored: ${reason}`);
  }
  return read;
}

/** @throws InvalidTokenError (401) if the token is too long for the service. */
async function sign(payload: { iss: string }, key: TokenKey): Promise<string> {
  const [{ JwtService }, { TokenSigner }, { readCompactJws }] = await Promise.all([
    import('@nestjs/jwt'),
    import('../tokens/token-signer.js'),
    import('../tokens/compact-jws.js'),
  ]);
  const token = new TokenSigner(new JwtService({})).sign(payload, key);
  readCompactJws(token);
  return token;
}

async function findTarget(options: MintOptions): Promise<TokenTarget> {
  const given = findIssuerSecret(options.secretFile);
  const issuerId = findIssuerId(options.issuer, given);
  if (given !== null) return targetOf(options, issuerId, given);
  if (options.algorithm !== undefined) {
    throw new UsageError(
      '--algorithm is only for a secret that you supply: a key in the database has its own.',
    );
  }
  const wanted = typeof options.kid === 'string' ? requireUuid('--kid', options.kid) : null;
  return withBackend(options, async (backend) => {
    const { id, secret, algorithm } = await backend.getSigningKey(issuerId, wanted);
    const key = options.kid === undefined ? { secret, algorithm } : { id, secret, algorithm };
    return { issuerId, key, origin: backend.origin };
  });
}

function targetOf(options: MintOptions, issuerId: string, given: IssuerSecret): TokenTarget {
  const { kid, algorithm = 'HS256' } = options;
  const id = kid === true ? given.keyId : kid;
  if (kid === true && id === undefined) {
    throw new UsageError('--kid requires the key’s id here: only PIXSEAL_DSN and the database contain it.');
  }
  const secret = createSecretKey(Buffer.from(given.secret));
  return {
    issuerId,
    key: id === undefined ? { secret, algorithm } : { id: requireUuid('--kid', id), secret, algorithm },
    origin: findServer(options) ?? given.origin ?? null,
  };
}

function findIssuerId(issuer: string | undefined, given: IssuerSecret | null): string {
  if (issuer === undefined) {
    if (given?.issuerId !== undefined) return given.issuerId;
    throw new UsageError('Name the issuer with --issuer, or set PIXSEAL_DSN.');
  }
  const id = requireUuid('--issuer', issuer);
  if (given?.issuerId !== undefined && given.issuerId !== id) {
    throw new UsageError('PIXSEAL_DSN belongs to another issuer than --issuer.');
  }
  return id;
}

function requireUuid(option: string, text: string): string {
  const id = canonicalUuid(text);
  if (id === null) throw new UsageError(`${option} must be a UUID.`);
  return id;
}
