import { Option, type Command } from 'commander';
import type { ImageView } from '../admin/images/image.view.js';
import { DELIVERY_TYPES, IMAGE_ACCESSES } from '../domain/image.js';
import { addAssetCommands, type AssetKind, type UploadOptions } from './asset.command.js';
import type { Json } from './backend.js';
import { addGlobalOptions, withBackend, type GlobalOptions } from './global-options.js';
import { requireIssuerId } from './issuer-secret.js';
import { formatRows, printResult, type Row } from './output.js';
import { RequiredOption } from './required-option.js';

interface CreateOptions extends UploadOptions {
  readonly deliveryType?: string;
  readonly access?: string;
}

interface AddOptions extends CreateOptions {
  readonly version: string;
  readonly format?: string;
}

interface Changes extends GlobalOptions {
  readonly publicId?: string;
  readonly version?: string;
  readonly format?: string;
  readonly deliveryType?: string;
  readonly access?: string;
  readonly notBefore?: string;
}

const IMAGES: AssetKind<Json<ImageView>, CreateOptions, Changes> = {
  name: 'image',
  plural: 'images',
  rowsOf: (image) => rowsOf(image),
  select: ({ images }) => images,
  createdOf: (options) => createdOf(options),
  changesOf: ({ publicId, version, format, deliveryType, access, notBefore }) => ({
    public_id: publicId,
    version: version === undefined ? undefined : readVersion(version),
    format,
    delivery_type: deliveryType,
    access,
    not_before: notBefore === '' ? null : notBefore,
  }),
  addCreateOptions: (command) => addAssetOptions(command, { isNew: true }),
  addChangeOptions: (command) =>
    addAssetOptions(
      command
        .option('--public-id <id>', 'its public id in Cloudinary, without an extension')
        .option('--version <number>', 'its version in Cloudinary, without the v')
        .option('--format <format>', 'the original’s format: png, jpg, …')
        .option('--not-before <time>', "refuse tokens with an older iat; '' for no such limit"),
      { isNew: false },
    ),
};

export function addImageCommands(program: Command): void {
  const image = program.command('image').description('images: originals in Cloudinary');
  addGlobalOptions(
    addAssetOptions(
      image
        .command('add')
        .summary('register an original that is in Cloudinary already')
        .description(
          'Registers an original that is in Cloudinary already, so that its issuer’s tokens can open it.\n' +
            'Use the public id, version and format from Cloudinary’s upload response.',
        )
        .option('--issuer <uuid>', 'the issuer whose tokens can open it; optional if PIXSEAL_DSN contains it')
        .addOption(
          new RequiredOption('--public-id <id>', 'its public id in Cloudinary, without an extension'),
        )
        .addOption(new RequiredOption('--version <number>', 'its version in Cloudinary, without the v'))
        .option('--id <uuid>', 'id to use (default: generated)')
        .option('--format <format>', 'the original’s format, for information only: png, jpg, …'),
      { isNew: true },
    ),
  )
    .addHelpText(
      'after',
      `
Mode local shows only originals that were uploaded to the service: use \`image upload\` there.

Examples:
  $ pixseal image add --issuer cfd3b472-dbba-4089-bce7-f5c1e413b5c1 --public-id ba5a440dbe3d --version 123123
  $ pixseal image add --issuer cfd3b472-dbba-4089-bce7-f5c1e413b5c1 --public-id shoes/red --version 1571218039 \\
      --format png --delivery-type upload --access public`,
    )
    .action(addImage);
  addAssetCommands(image, IMAGES);
}

function addAssetOptions(command: Command, { isNew }: { readonly isNew: boolean }): Command {
  const type = 'Cloudinary’s type of the original';
  const access = 'token: only with a token; public: also without one';
  return command
    .addOption(
      new Option('--delivery-type <type>', isNew ? `${type} (default: authenticated)` : type).choices(
        DELIVERY_TYPES,
      ),
    )
    .addOption(
      new Option('--access <access>', isNew ? `${access} (default: token)` : access).choices(IMAGE_ACCESSES),
    );
}

const createdOf = ({ deliveryType, access }: CreateOptions): object => ({
  delivery_type: deliveryType,
  access,
});

const readVersion = (text: string): number | string => (/^\d+$/.test(text) ? Number(text) : text);

async function addImage(options: AddOptions): Promise<void> {
  const image = await withBackend(options, (backend) =>
    backend.images.create({
      id: options.id,
      issuer_id: requireIssuerId(options.issuer),
      public_id: options.publicId,
      version: readVersion(options.version),
      format: options.format,
      ...createdOf(options),
    }),
  );
  printResult(image, () => formatRows(rowsOf(image)));
}

function rowsOf(image: Json<ImageView>): Row[] {
  return [
    ['image', image.id],
    ['issuer', image.issuer_id],
    ['public id', image.public_id],
    ['version', image.version],
    ['format', image.format],
    ['delivery type', image.delivery_type],
    ['access', image.access],
    ...(image.not_before === null ? [] : [['not before', image.not_before] as const]),
    ...(image.rejected_at === null ? [] : [['rejected', image.rejected_at] as const]),
  ];
}
