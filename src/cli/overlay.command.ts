import { Option, type Command } from 'commander';
import type { OverlayView } from '../admin/overlays/overlay.view.js';
import { DELIVERY_TYPES } from '../domain/image.js';
import { addAssetCommands, type AssetKind, type UploadOptions } from './asset.command.js';
import type { Json } from './backend.js';
import { addGlobalOptions, withBackend, type GlobalOptions } from './global-options.js';
import { requireIssuerId } from './issuer-secret.js';
import { formatRows, printResult, type Row } from './output.js';
import { RequiredOption } from './required-option.js';

interface CreateOptions extends UploadOptions {
  readonly deliveryType?: string;
  readonly shared?: boolean;
}

interface Changes extends GlobalOptions {
  readonly publicId?: string;
  readonly deliveryType?: string;
  readonly shared?: boolean;
}

const SHARED = 'let mandatory steps and presets of all issuers of its account use it';

const OVERLAYS: AssetKind<Json<OverlayView>, CreateOptions, Changes> = {
  name: 'overlay',
  plural: 'overlays',
  rowsOf: (overlay) => rowsOf(overlay),
  select: ({ overlays }) => overlays,
  createdOf: ({ deliveryType, shared }) => ({ delivery_type: deliveryType, shared }),
  changesOf: ({ publicId, deliveryType, shared }) => ({
    public_id: publicId,
    delivery_type: deliveryType,
    shared,
  }),
  addCreateOptions: (command) => addDeliveryType(command, { isNew: true }).option('--shared', SHARED),
  addChangeOptions: (command) =>
    addDeliveryType(command.option('--public-id <id>', 'its public id in Cloudinary'), { isNew: false })
      .option('--shared', SHARED)
      .option('--no-shared', 'let only its own issuer use it'),
};

export function addOverlayCommands(program: Command): void {
  const overlay = program
    .command('overlay')
    .description('manage overlays: images that steps place on others, and the font files of texts');
  addGlobalOptions(
    addDeliveryType(
      overlay
        .command('add')
        .summary('register a layer that is in Cloudinary already')
        .description(
          'Registers an image in Cloudinary as a layer, such as a watermark. A step refers to it by the printed id:\n' +
            '--step overlay=OVERLAY_ID,flags=tiled\n\n' +
            'With an extension (.ttf, .otf, .woff2) it is a font file, the font_family of a text layer.',
        )
        .option('--issuer <uuid>', 'the issuer whose tokens can use it; optional if PIXSEAL_DSN contains it')
        .addOption(
          new RequiredOption(
            '--public-id <id>',
            'its public id in Cloudinary; without an extension, unless it is a font file',
          ),
        )
        .option('--id <uuid>', 'id to use (default: generated)')
        .option('--shared', SHARED),
      { isNew: true },
    ),
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
  addAssetCommands(overlay, OVERLAYS);
}

function addDeliveryType(command: Command, { isNew }: { readonly isNew: boolean }): Command {
  const type = 'Cloudinary’s type of the original';
  return command.addOption(
    new Option(
      '--delivery-type <type>',
      isNew ? `${type} (default: private; of a font file: authenticated)` : type,
    ).choices(DELIVERY_TYPES),
  );
}

async function addOverlay(options: CreateOptions): Promise<void> {
  const overlay = await withBackend(options, (backend) =>
    backend.overlays.create({
      id: options.id,
      issuer_id: requireIssuerId(options.issuer),
      public_id: options.publicId,
      delivery_type: options.deliveryType,
      shared: options.shared,
    }),
  );
  printResult(overlay, () => formatRows(rowsOf(overlay)));
}

function rowsOf(overlay: Json<OverlayView>): Row[] {
  return [
    ['overlay', overlay.id],
    ['issuer', overlay.issuer_id],
    ['public id', overlay.public_id],
    ['delivery type', overlay.delivery_type],
    ...(overlay.shared ? ([['shared', 'yes']] as const) : []),
    ...(overlay.rejected_at === null ? [] : [['rejected', overlay.rejected_at] as const]),
  ];
}
