import { basename, extname } from 'node:path';
import type { Command } from 'commander';
import type { Backend } from './backend.js';
import { UsageError } from './cli.errors.js';
import { addGlobalOptions, withBackend, type GlobalOptions } from './global-options.js';
import { type InputFile, readFile } from './input.js';
import { requireIssuerId } from './issuer-secret.js';
import { formatRows, printable, printResult, type Row } from './output.js';

/** What images and overlays have in common in the admin API. */
interface Asset {
  readonly id: string;
  readonly public_id: string;
}

/** Images or overlays, for the commands that both have. */
export interface AssetKind<View extends Asset, Options extends UploadOptions, Changes> {
  readonly name: 'image' | 'overlay';
  readonly plural: string;
  rowsOf(view: View): readonly Row[];
  select(backend: Backend): AssetRows<View>;
  /** The members of a new row, besides issuer, id and public id. */
  createdOf(options: Options): object;
  changesOf(options: Changes): object;
  addCreateOptions(command: Command): Command;
  addChangeOptions(command: Command): Command;
}

/** The operations of `AssetBackend` that the commands use. */
interface AssetRows<View> {
  create(input: object, file?: InputFile): Promise<View>;
  list(filters: { readonly issuer_id: string; readonly public_id?: string }): Promise<View[]>;
  get(id: string): Promise<View>;
  update(id: string, input: object): Promise<View>;
  replaceOriginal(id: string, file: InputFile): Promise<View>;
  delete(id: string): Promise<void>;
}

export interface UploadOptions extends GlobalOptions {
  readonly issuer?: string;
  readonly publicId?: string;
  readonly id?: string;
}

interface ListOptions extends GlobalOptions {
  readonly issuer?: string;
  readonly publicId?: string;
}

const ID = '161400d0-c894-42fd-8100-262361ea91ff';
const ISSUER = 'cfd3b472-dbba-4089-bce7-f5c1e413b5c1';

/** Adds `upload`, `list`, `show`, `update`, `replace` and `delete` to a group. */
export function addAssetCommands<
  View extends Asset,
  Options extends UploadOptions,
  Changes extends GlobalOptions,
>(group: Command, kind: AssetKind<View, Options, Changes>): void {
  const { name, plural } = kind;
  const show = (view: View): void => {
    printResult(view, () => formatRows(kind.rowsOf(view)));
  };
  const add = (command: Command, examples: readonly string[]): Command =>
    addGlobalOptions(command).addHelpText(
      'after',
      `\nExamples:\n${examples.map((each) => `  $ pixseal ${name} ${each}`).join('\n')}`,
    );

  add(
    kind.addCreateOptions(
      group
        .command('upload')
        .summary(`upload an original, and register it as an ${name}`)
        .description(
          `Uploads a file and registers it as an ${name}. In mode cloudinary the service sends it to the issuer’s account, else ` +
            'it keeps the file. JPEG, PNG, WebP, AVIF, GIF, TIFF, SVG, BMP, ICO, HEIC, JPEG XL or PDF, at most 25 MiB and ' +
            '50 million pixels.',
        )
        .argument('<file>', 'the file, - for standard input')
        .option('--issuer <uuid>', `the issuer whose tokens can use it; optional if PIXSEAL_DSN contains it`)
        .option('--public-id <id>', 'its public id (default: the name of the file, without its extension)')
        .option('--id <uuid>', 'id to use (default: generated)'),
    ),
    ['upload photo.jpg --public-id shoes/red', `upload photo.jpg --issuer ${ISSUER}`],
  ).action(async (file: string, options: Options) => {
    if (file === '-' && options.publicId === undefined) {
      throw new UsageError('Standard input has no name: pass --public-id.');
    }
    const input = {
      id: options.id,
      issuer_id: requireIssuerId(options.issuer),
      public_id: options.publicId ?? basename(file, extname(file)),
      ...kind.createdOf(options),
    };
    const original = readFile(file);
    show(await withBackend(options, (backend) => kind.select(backend).create(input, original)));
  });

  add(
    group
      .command('list')
      .summary(`list the ${plural} of an issuer`)
      .description(`Lists the ${plural} of an issuer: id and public id. Deleted ones are omitted.`)
      .option('--issuer <uuid>', `the issuer of the ${plural}; optional if PIXSEAL_DSN contains it`)
      .option('--public-id <id>', `only the ${plural} with this public id`),
    [`list --issuer ${ISSUER}`, `list --public-id shoes/red --json | jq -r '.[0].id'`],
  ).action(async (options: ListOptions) => {
    const { publicId } = options;
    const filters = {
      issuer_id: requireIssuerId(options.issuer),
      ...(publicId === undefined ? {} : { public_id: publicId }),
    };
    const views = await withBackend(options, (backend) => kind.select(backend).list(filters));
    printResult(views, () => views.map(({ id, public_id: publicIdOf }) => `${id}  ${printable(publicIdOf)}`));
  });

  add(
    group
      .command('show')
      .summary(`show an ${name}`)
      .description(`Shows an ${name}.`)
      .argument('<id>', 'its id'),
    [`show ${ID}`],
  ).action(async (id: string, options: GlobalOptions) => {
    show(await withBackend(options, (backend) => kind.select(backend).get(id)));
  });

  add(
    kind.addChangeOptions(
      group
        .command('update')
        .summary(`change an ${name}`)
        .description(`Changes an ${name}. Its URLs change within a second.`)
        .argument('<id>', 'its id'),
    ),
    [`update ${ID} --public-id shoes/blue`],
  ).action(async (id: string, options: Changes) => {
    const changes = kind.changesOf(options);
    show(await withBackend(options, (backend) => kind.select(backend).update(id, changes)));
  });

  add(
    group
      .command('replace')
      .summary(`replace the original of an ${name}`)
      .description(
        `Replaces the original of an ${name} by a file, under the same public id and in a newer version.`,
      )
      .argument('<id>', 'its id')
      .argument('<file>', 'the file, - for standard input'),
    [`replace ${ID} photo.jpg`],
  ).action(async (id: string, file: string, options: GlobalOptions) => {
    const original = readFile(file);
    show(await withBackend(options, (backend) => kind.select(backend).replaceOriginal(id, original)));
  });

  add(
    group
      .command('delete')
      .summary(`delete an ${name}`)
      .description(
        name === 'image'
          ? 'Deletes an image: its URLs return 410 from then on. The asset stays in Cloudinary.'
          : 'Deletes an overlay: tokens that use it are refused from then on. The asset stays in Cloudinary.',
      )
      .argument('<id>', 'its id'),
    [`delete ${ID}`],
  ).action(async (id: string, options: GlobalOptions) => {
    await withBackend(options, (backend) => kind.select(backend).delete(id));
    printResult({ id, deleted: true }, () => [`deleted  ${id}`]);
  });
}
