import { createSecretKey } from 'node:crypto';
import { Option, type Command } from 'commander';
import { HMAC_ALGORITHMS, type HmacAlgorithm } from '../tokens/signing-key.js';
import type { TokenKey } from '../tokens/token-signer.js';
import { canonicalUuid } from '../domain/uuid.js';
import { UsageError } from './cli.errors.js';
import { readDuration } from './duration.js';
import { addGlobalOptions, findServer, withBackend, type GlobalOptions } from './global-options.js';
import { findIssuerSecret, type IssuerSecret } from './issuer-secret.js';
import { note, print, printJson } from './output.js';
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
  /** Of the service; null where no option and no variable names it. */
  readonly origin: string | null;
}

export function addTokenCommands(program: Command): void {
  const token = program.command('token').description('tokens: what opens an image, under sealed steps');
  addGlobalOptions(
    token
      .command('mint')
      .summary('sign a token, or print the whole URL')
      .description(
        'Signs a token and prints it alone, or with --url the URL that opens the image. Standard error gets a note\n' +
          'where the token opens every image of the issuer, and where it never expires.\n\n' +
          'The secret is that of --secret-file, PIXSEAL_SECRET or PIXSEAL_DSN, and then nothing is asked of any\n' +
          'database or service. Without one of them the issuer’s newest live key is taken from the database.\n' +
          'Steps are checked against the vocabulary; the issuer’s policy is checked by the service.',
      )
      .option('--issuer <uuid>', 'the issuer that signs it; optional where PIXSEAL_DSN names it')
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
      .option('--expires-in <duration>', 'how long it is valid: 90s, 15m, 1h, 7d (default: it never expires)')
      .option('--no-download', 'show the picture instead of offering it as a file')
      .option('--original', 'the original as it is, without the base transformations and steps')
      .option('--secret-file <file>', 'a file with the issuer’s secret, - for standard input')
      .addOption(
        new Option('--algorithm <name>', 'of a secret that you bring (default: HS256)').choices(
          HMAC_ALGORITHMS,
        ),
      )
      .option(
        '--kid [key id]',
        'name the key in the token’s header; with an id from the database, use that key',
      )
      .option('--url', 'print the URL, one for each --image'),
  )
    .addHelpText(
      'after',
      `
Steps:
  A step’s keys and values are those of Cloudinary’s SDKs: width, height, crop, gravity, angle, effect, … Numbers
  become numbers. An overlay is the id of a registered one, or a text. A value that holds a comma needs JSON.

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
    throw new UsageError('--url needs to know the image: name it with --image.');
  }
  const lifetime = options.expiresIn === undefined ? null : readDuration(options.expiresIn);
  const steps = await readCheckedSteps(options);
  const { issuerId, key, origin } = await findTarget(options);
  if (options.url && origin === null) {
    throw new UsageError(
      '--url needs to know the service: pass --server, or set PIXSEAL_SERVER or PIXSEAL_DSN.',
    );
  }

  const issuedAt = Math.floor(Date.now() / 1000);
  const payload = {
    iss: issuerId,
    iat: issuedAt,
    ...(lifetime === null ? {} : { exp: issuedAt + lifetime }),
    // A string names the image, an array lists those it is good for.
    ...(images.length === 0 ? {} : { image_id: images.length === 1 ? images[0] : images }),
    ...(steps.length === 0 ? {} : { transformations: steps }),
    sharinpix: {
      ...(options.download ? {} : { download: false }),
      ...(options.original ? { original: true } : {}),
    },
  };
  const token = await sign(payload, key);
  const urls = options.url ? images.map((id) => `${origin ?? ''}/images/${id}?token=${token}`) : [];
  if (options.json) printJson({ token, payload, ...(options.url ? { urls } : {}) });
  else print(...(options.url ? urls : [token]));
  if (images.length === 0) {
    note('the token opens every image of the issuer: name those that it is for with --image');
  }
  if (lifetime === null) note('the token never expires: limit it with --expires-in');
}

/** @throws InvalidTransformationError (422) as the service would. */
async function readCheckedSteps({ step = [], steps }: MintOptions): Promise<readonly unknown[]> {
  const read = steps === undefined ? step.map(readStep) : readSteps(steps);
  const { TransformationMapper } = await import('../transformations/transformation.mapper.js');
  for (const { step: position, ignored } of new TransformationMapper().map(read).steps) {
    for (const { key, reason } of ignored) note(`step ${position}: ${key} is ignored: ${reason}`);
  }
  return read;
}

/** @throws InvalidTokenError (401) for a token that is too long for the service. */
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
    throw new UsageError('--algorithm is for a secret that you bring: a key in the database has its own.');
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
    throw new UsageError('--kid needs the key’s id here: only PIXSEAL_DSN and the database know it.');
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
    throw new UsageError('PIXSEAL_DSN is another issuer’s than --issuer.');
  }
  return id;
}

function requireUuid(option: string, text: string): string {
  const id = canonicalUuid(text);
  if (id === null) throw new UsageError(`${option} must be a UUID.`);
  return id;
}
