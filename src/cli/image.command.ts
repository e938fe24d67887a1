import { Option, type Command } from 'commander';
import { DELIVERY_TYPES, IMAGE_ACCESSES } from '../domain/image.js';
import { addGlobalOptions, withBackend, type GlobalOptions } from './global-options.js';
import { requireIssuerId } from './issuer-secret.js';
import { formatRows, print, printable, printJson } from './output.js';

interface AddOptions extends GlobalOptions {
  readonly issuer: string;
  readonly publicId: string;
  readonly version: string;
  readonly id?: string;
  readonly format?: string;
  readonly deliveryType?: string;
  readonly access?: string;
}

interface ListOptions extends GlobalOptions {
  readonly issuer?: string;
  readonly publicId?: string;
}

export function addImageCommands(program: Command): void {
  const image = program.command('image').description('images: originals in Cloudinary');
  addGlobalOptions(
    image
      .command('add')
      .summary('register an original')
      .description(
        'Registers an original that is in Cloudinary already, so that its issuer’s tokens can open it.\n' +
          'Use the public id, version and format from Cloudinary’s upload response.',
      )
      .requiredOption('--issuer <uuid>', 'the issuer whose tokens can open it')
      .requiredOption('--public-id <id>', 'its public id in Cloudinary, without an extension')
      .requiredOption('--version <number>', 'its version in Cloudinary, without the v')
      .option('--id <uuid>', 'id to use (default: generated)')
      .option('--format <format>', 'the original’s format, for information only: png, jpg, …')
      .addOption(
        new Option(
          '--delivery-type <type>',
          'Cloudinary’s type of the original (default: authenticated)',
        ).choices(DELIVERY_TYPES),
      )
      .addOption(
        new Option(
          '--access <access>',
          'token: only with a token; public: also without one (default: token)',
        ).choices(IMAGE_ACCESSES),
      ),
  )
    .addHelpText(
      'after',
      `
Examples:
  $ pixseal image add --issuer cfd3b472-dbba-4089-bce7-f5c1e413b5c1 --public-id ba5a440dbe3d --version 123123
  $ pixseal image add --issuer cfd3b472-dbba-4089-bce7-f5c1e413b5c1 --public-id shoes/red --version 1571218039 \\
      --format png --delivery-type upload --access public`,
    )
    .action(addImage);
  addGlobalOptions(
    image
      .command('list')
      .summary('list the images of an issuer')
      .description('Lists the images of an issuer: id and public id. Deleted images are omitted.')
      .option('--issuer <uuid>', 'the issuer of the images; optional if PIXSEAL_DSN contains it')
      .option('--public-id <id>', 'only the images with this public id'),
  )
    .addHelpText(
      'after',
      `
Examples:
  $ pixseal image list --issuer cfd3b472-dbba-4089-bce7-f5c1e413b5c1
  $ pixseal image list --public-id shoes/red --json | jq -r '.[0].id'`,
    )
    .action(listImages);
}

async function listImages(options: ListOptions): Promise<void> {
  const { publicId } = options;
  const filters = {
    issuer_id: requireIssuerId(options.issuer),
    ...(publicId === undefined ? {} : { public_id: publicId }),
  };
  const images = await withBackend(options, (backend) => backend.listImages(filters));
  if (options.json) printJson(images);
  else if (images.length > 0) print(...images.map(({ id, public_id: name }) => `${id}  ${printable(name)}`));
}

async function addImage(options: AddOptions): Promise<void> {
  const image = await withBackend(options, (backend) =>
    backend.addImage({
      id: options.id,
      issuer_id: options.issuer,
      public_id: options.publicId,
      version: /^\d+$/.test(options.version) ? Number(options.version) : options.version,
      format: options.format,
      delivery_type: options.deliveryType,
      access: options.access,
    }),
  );
  if (options.json) {
    printJson(image);
    return;
  }
  print(
    ...formatRows([
      ['image', image.id],
      ['issuer', image.issuer_id],
      ['public id', image.public_id],
      ['version', image.version],
      ['format', image.format],
      ['delivery type', image.delivery_type],
      ['access', image.access],
    ]),
  );
}
