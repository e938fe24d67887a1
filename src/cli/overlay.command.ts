import { Option, type Command } from 'commander';
import { DELIVERY_TYPES } from '../domain/image.js';
import { addGlobalOptions, withBackend, type GlobalOptions } from './global-options.js';
import { formatRows, print, printJson } from './output.js';

interface AddOptions extends GlobalOptions {
  readonly issuer: string;
  readonly publicId: string;
  readonly id?: string;
  readonly deliveryType?: string;
  readonly shared?: true;
}

export function addOverlayCommands(program: Command): void {
  const overlay = program
    .command('overlay')
    .description('manage overlays: images that steps place on others, and the font files of texts');
  addGlobalOptions(
    overlay
      .command('add')
      .summary('register a layer')
      .description(
        'Registers an image in Cloudinary as a layer, such as a watermark. A step refers to it by the printed id:\n' +
          '--step overlay=OVERLAY_ID,flags=tiled\n\n' +
          'With an extension (.ttf, .otf, .woff2) it is a font file, the font_family of a text layer.',
      )
      .requiredOption('--issuer <uuid>', 'the issuer whose tokens can use it')
      .requiredOption(
        '--public-id <id>',
        'its public id in Cloudinary; without an extension, unless it is a font file',
      )
      .option('--id <uuid>', 'id to use (default: generated)')
      .addOption(
        new Option(
          '--delivery-type <type>',
          'Cloudinary’s type of the original (default: private; of a font file: authenticated)',
        ).choices(DELIVERY_TYPES),
      )
      .option('--shared', 'lets mandatory steps and presets of all issuers of its account use it'),
  )
    .addHelpText(
      'after',
      `
Examples:
  $ pixseal overlay add --issuer cfd3b472-dbba-4089-bce7-f5c1e413b5c1 --public-id d47e609177b4
  $ pixseal overlay add --issuer cfd3b472-dbba-4089-bce7-f5c1e413b5c1 --public-id logos/shop --delivery-type upload
  $ pixseal overlay add --issuer cfd3b472-dbba-4089-bce7-f5c1e413b5c1 --public-id fonts/brand.ttf --shared`,
    )
    .action(addOverlay);
}

async function addOverlay(options: AddOptions): Promise<void> {
  const overlay = await withBackend(options, (backend) =>
    backend.addOverlay({
      id: options.id,
      issuer_id: options.issuer,
      public_id: options.publicId,
      delivery_type: options.deliveryType,
      shared: options.shared,
    }),
  );
  if (options.json) {
    printJson(overlay);
    return;
  }
  print(
    ...formatRows([
      ['overlay', overlay.id],
      ['issuer', overlay.issuer_id],
      ['public id', overlay.public_id],
      ['delivery type', overlay.delivery_type],
      ...(overlay.shared ? ([['shared', 'yes']] as const) : []),
    ]),
  );
}
