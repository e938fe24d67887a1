import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { SingleBar } from 'cli-progress';
import { Option, type Command } from 'commander';
import { trimSlashes } from '../domain/trim-slashes.js';
import { AccountAssets, AssetListError, type AssetQuery } from '../cloudinary/account-assets.js';
import {
  type CloudinaryAccount,
  processVariables,
  readCloudinaryAccount,
} from '../platform/config/environment.js';
import { DELIVERY_TYPES, IMAGE_ACCESSES, type DeliveryType } from '../domain/image.js';
import type { IssuerAccount } from './backend.js';
import { CommandFailedError, UsageError } from './cli.errors.js';
import { addGlobalOptions, withBackend, type GlobalOptions } from './global-options.js';
import { ImageImport, type ImportProgress, type ImportResult } from './image-import.js';
import { requireIssuerId } from './issuer-secret.js';
import { formatRows, note, printable, printResult } from './output.js';

/** Names that are listed; `--json` prints all of them. */
const SHOWN = 20;

interface ImportOptions extends GlobalOptions {
  readonly issuer?: string;
  readonly type: DeliveryType;
  readonly prefix?: string;
  readonly tag?: string;
  readonly folder?: string;
  readonly access?: string;
  readonly state?: string;
  readonly dryRun?: true;
}

export function addImportCommand(program: Command): void {
  addGlobalOptions(
    program
      .command('import')
      .summary('register the images of a Cloudinary account')
      .description(
        'Lists the images of the issuer’s account, and registers them for the issuer. That is the account in CLOUDINARY_URL ' +
          'unless the issuer has another one; with --server, CLOUDINARY_URL must contain its secret. Registered images get ' +
          'a newer version or stay unchanged: the command can be interrupted and run again. Deleted images are ' +
          'restored only in a newer version. Public ids that are retained for the issuer are released ' +
          'if the account no longer has the asset (not with --tag or --folder, nor when a run resumes).',
      )
      .option('--issuer <uuid>', 'the issuer whose tokens can open them; optional if PIXSEAL_DSN contains it')
      .addOption(
        new Option('--type <type>', 'Cloudinary’s type of the originals')
          .choices(DELIVERY_TYPES)
          .default('authenticated'),
      )
      .option('--prefix <text>', 'only public ids with this prefix, such as shoes/')
      .option('--tag <tag>', 'only images with this tag')
      .option('--folder <path>', 'only images in this folder, or below it, by the account’s search')
      .addOption(
        new Option(
          '--access <access>',
          'of new images. token: only with a token; public: also without one (default: token)',
        ).choices(IMAGE_ACCESSES),
      )
      .option('--state <file>', 'stores the progress, so that the next run resumes there')
      .option('--dry-run', 'write nothing, and print what would be done'),
  )
    .addHelpText(
      'after',
      `
The exit code is also 1 if some images could not be registered because another issuer owns their public ids.

Examples:
  $ pixseal import --issuer cfd3b472-dbba-4089-bce7-f5c1e413b5c1 --prefix shoes/ --dry-run
  $ pixseal import --issuer cfd3b472-dbba-4089-bce7-f5c1e413b5c1 --type upload --state import.json
  $ pixseal import --issuer cfd3b472-dbba-4089-bce7-f5c1e413b5c1 --folder "shoes/summer 2030"`,
    )
    .action(importImages);
}

async function importImages(options: ImportOptions): Promise<void> {
  const { type, prefix, tag, access, dryRun = false } = options;
  const issuerId = requireIssuerId(options.issuer);
  const folder = options.folder === undefined ? undefined : trimSlashes(options.folder);
  if (folder === '')
    throw new UsageError('--folder must name a folder. Without it, all folders are imported.');
  const query: AssetQuery = {
    type,
    ...(prefix === undefined ? {} : { prefix }),
    ...(tag === undefined ? {} : { tag }),
    ...(folder === undefined ? {} : { folder }),
  };
  const { result, account, cloudName } = await withBackend(options, async (backend) => {
    const settings = readAccount(await backend.findAccountOf(issuerId));
    const assets = new AccountAssets(settings);
    const state = new StateFile(dryRun ? undefined : options.state, {
      cloud: settings.cloudName,
      issuer: issuerId,
      ...query,
    });
    const progress = new BarProgress(state, await assets.count(query));
    try {
      const request = { issuerId, query, access, dryRun };
      const done = await new ImageImport(backend, assets, request, progress).run();
      return { result: done, account: assets, cloudName: settings.cloudName };
    } finally {
      progress.stop();
    }
  });
  report(result, options);
  const { registered, updated, unchanged, conflicts, refused } = result;
  if (registered + updated + unchanged + conflicts.length + refused.length === 0)
    note(await describeEmptyList(account, query, cloudName));
}

/**
 * The account of the issuer. A service never returns its secret: CLOUDINARY_URL must then contain it.
 * @throws EnvironmentError without CLOUDINARY_URL; UsageError for another account there.
 */
function readAccount(found: IssuerAccount | null): CloudinaryAccount {
  if (found?.credentials) return found.credentials;
  const settings = readCloudinaryAccount(processVariables());
  if (found === null || found.cloudName === settings.cloudName) return settings;
  throw new UsageError(
    `The issuer’s account has the cloud ${found.cloudName}, and CLOUDINARY_URL another one. Set CLOUDINARY_URL to the issuer’s account.`,
  );
}

/** The criteria that no image matched, and the types that have images matching the others. */
async function describeEmptyList(
  account: AccountAssets,
  query: AssetQuery,
  cloudName: string,
): Promise<string> {
  const { type, prefix, tag, folder } = query;
  const criteria = [
    ...(prefix === undefined ? [] : [`a public id that begins with ${prefix}`]),
    ...(tag === undefined ? [] : [`the tag ${tag}`]),
    ...(folder === undefined ? [] : [`the folder ${folder}`]),
  ];
  const others: DeliveryType[] = [];
  for (const other of DELIVERY_TYPES) {
    if (other !== type && (await hasImages(account, { ...query, type: other }))) others.push(other);
  }
  const without = `the account ${cloudName} has no image of type ${type}`;
  return [
    criteria.length === 0 ? without : `${without} with ${criteria.join(' and ')}`,
    ...others.map((other) => `it has such images of type ${other}: add --type ${other}`),
    ...(prefix === undefined
      ? []
      : [
          '--prefix applies to public ids, which do not contain the folder in accounts with dynamic folders: use --folder there',
        ]),
  ].join('; ');
}

async function hasImages(account: AccountAssets, query: AssetQuery): Promise<boolean> {
  try {
    return (await account.listPage(query, null)).assets.length > 0;
  } catch (error) {
    if (error instanceof AssetListError) return false;
    throw error;
  }
}

function report(result: ImportResult, { dryRun }: ImportOptions): void {
  const { registered, updated, unchanged, released, conflicts, refused } = result;
  const would = dryRun === true ? 'would be ' : '';
  printResult(result, () =>
    formatRows([
      [`${would}registered`, registered],
      [`${would}updated`, updated],
      ['unchanged', unchanged],
      [`${would}released`, released],
      ['of another issuer', conflicts.length],
      ['invalid', refused.length],
    ]),
  );
  const failed = [
    ...conflicts.map(
      (publicId) => `${publicId}: another issuer owns this public id, or it is retained for one`,
    ),
    ...refused.map(({ public_id: publicId, detail }) => `${publicId}: ${detail}`),
  ];
  if (failed.length === 0) return;
  const more = failed.length > SHOWN ? [`and ${failed.length - SHOWN} more: --json lists all`] : [];
  throw new CommandFailedError(
    ['some images cannot be registered', ...failed.slice(0, SHOWN), ...more].map(printable).join('\n  '),
  );
}

/** A progress bar on a terminal; elsewhere only notes. */
class BarProgress implements ImportProgress {
  readonly cursor: string | null;
  private readonly bar: SingleBar;
  private done: number;

  constructor(
    private readonly state: StateFile,
    private readonly total: number | null,
  ) {
    const place = state.read();
    this.cursor = place?.cursor ?? null;
    this.done = place?.done ?? 0;
    if (place !== null) note('resuming where the last run stopped');
    // Without a total, no bar can be drawn.
    const counted = total === null ? '{value} images' : '[{bar}] {value} of {total}';
    this.bar = new SingleBar({
      format: `${counted}  {duration_formatted}  {doing}`,
      hideCursor: true,
      clearOnComplete: true,
      barsize: 30,
    });
    this.start();
  }

  imageDone(): void {
    this.done += 1;
    if (this.done > (this.total ?? Infinity)) this.bar.setTotal(this.done);
    this.bar.update(this.done, { doing: '' });
  }

  pageDone(cursor: string | null): void {
    this.state.write(cursor === null ? null : { cursor, done: this.done });
  }

  restarted(): void {
    this.bar.stop();
    note('Cloudinary’s cursor has expired: starting again, registered images stay unchanged');
    this.done = 0;
    this.start();
  }

  waiting(reason: string, until: Date): void {
    const doing = `${printable(reason)}: waiting until ${until.toISOString().slice(11, 19)} UTC`;
    if (process.stderr.isTTY) this.bar.update(this.done, { doing });
    else note(doing);
  }

  stop(): void {
    this.bar.stop();
  }

  private start(): void {
    // The account may have lost images since the last run.
    const total = this.total === null ? 0 : Math.max(this.total, this.done);
    this.bar.start(total, this.done, { doing: '' });
  }
}

/** The progress of an import. */
interface ImportPosition {
  /** Of the page after the last processed one. */
  readonly cursor: string;
  /** Images on the pages before it. */
  readonly done: number;
}

/** Stores the progress, with the options of its import. */
class StateFile {
  constructor(
    private readonly path: string | undefined,
    private readonly of: Readonly<Record<string, string>>,
  ) {}

  /** @throws UsageError for the file of another import, or with other content. */
  read(): ImportPosition | null {
    if (this.path === undefined) return null;
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
      throw new UsageError(`${this.path} cannot be read.`);
    }
    const kept = parse(text);
    const same = JSON.stringify(kept?.['of']) === JSON.stringify(this.of);
    const { cursor, done } = kept ?? {};
    if (same && typeof cursor === 'string' && Number.isSafeInteger(done))
      return { cursor, done: Number(done) };
    throw new UsageError(`${this.path} belongs to another import. Remove it, or use another file.`);
  }

  /** Null completes the import, and removes the file. */
  write(place: ImportPosition | null): void {
    if (this.path === undefined) return;
    if (place === null) {
      rmSync(this.path, { force: true });
      return;
    }
    // Atomic: a rename, so that a crash cannot leave a partial file.
    const next = `${this.path}.new`;
    writeFileSync(next, `${JSON.stringify({ of: this.of, ...place }, null, 2)}\n`, { flush: true });
    renameSync(next, this.path);
  }
}

function parse(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' ? (parsed as Readonly<Record<string, unknown>> | null) : null;
  } catch {
    return null;
  }
}
