import type { KeyObject } from 'node:crypto';
import { dirname, join, resolve } from 'node:path';
import type { INestApplicationContext } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { runAsSystem } from '../../platform/actor/actor.js';
import { AuditService } from '../../admin/audit/audit.service.js';
import { embeddedSecretsPath } from '../../platform/config/embedded-secrets.js';
import type { Environment } from '../../platform/config/environment.js';
import type { DeliveryMode } from '../../domain/delivery-mode.js';
import { DirectoryService } from '../../directory/directory.service.js';
import { ImagesService } from '../../admin/images/images.service.js';
import { IssuersService } from '../../admin/issuers/issuers.service.js';
import { OverlaysService } from '../../admin/overlays/overlays.service.js';
import { TokenSigner } from '../../tokens/token-signer.js';

/** The seed's own ids. */
const DEMO = {
  issuer: 'cfd3b472-dbba-4089-bce7-f5c1e413b5c1',
  image: '161400d0-c894-42fd-8100-262361ea91ff',
  overlay: '3d616b4e-a597-4b23-aa3d-d7de678f0ba6',
  /** The seed's transformations. */
  transformations: [
    {
      width: 200,
      overlay: '3d616b4e-a597-4b23-aa3d-d7de678f0ba6',
      flags: 'tiled',
      miaim: 'hey hey !',
      super_plop: 'test?',
    },
    { width: 101, flags: 'tiled', height: 102, crop: 'fit' },
  ],
  large: [
    { width: 1200, crop: 'limit' },
    { width: 300, overlay: '3d616b4e-a597-4b23-aa3d-d7de678f0ba6', flags: 'tiled' },
  ],
} as const;

/** The page may contain the secret only if the service listens on this machine alone. */
const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '::1', 'localhost']);

/**
 * Prints, once the service listens, what a user of embedded mode needs: a URL of the demo image, and where the key is.
 */
export async function welcome(
  app: NestFastifyApplication,
  environment: Pick<Environment, 'cloudinary' | 'dataDir' | 'deliveryMode' | 'host' | 'playground'>,
): Promise<(origin: string) => string> {
  const { dataDir, host, playground } = environment;
  // The account has no demo image.
  if (environment.deliveryMode === 'cloudinary') return welcomeAccount(app, environment);
  const issuer = await app.get(DirectoryService).findIssuer(DEMO.issuer);
  const [key] = issuer?.keys ?? [];
  const isSupplied =
    key !== undefined &&
    playground &&
    LOOPBACK.has(host) &&
    (await isOfDemo(app, 'issuer_key.create', key.id));
  const signer = app.get(TokenSigner, { strict: false });
  return (origin) => {
    const lines = [`Pixseal is listening on ${origin}`];
    if (key !== undefined) {
      const link = (claims: Readonly<Record<string, unknown>>): string => {
        const token = signer.sign(
          { iss: DEMO.issuer, ...claims },
          { algorithm: key.algorithm, secret: key.secret },
        );
        return `  ${origin}/images/${DEMO.image}?token=${token}`;
      };
      lines.push(
        '',
        'The demo image, watermarked; a download 101 pixels wide:',
        link({ transformations: DEMO.transformations, sharinpix: {} }),
        '',
        'The same image large, in the browser:',
        link({ transformations: DEMO.large, sharinpix: { download: false } }),
      );
      if (playground) {
        lines.push(
          '',
          'The playground, to compose and sign your own tokens:',
          `  ${origin}${playgroundPath(isSupplied ? key.secret : null)}`,
        );
      }
    }
    return finish(lines, origin, dataDir);
  };
}

/** The same with a Cloudinary account: how to show an image of it, until an issuer was created. */
async function welcomeAccount(
  app: NestFastifyApplication,
  {
    cloudinary: { cloudName },
    dataDir,
    playground,
  }: Pick<Environment, 'cloudinary' | 'dataDir' | 'playground'>,
): Promise<(origin: string) => string> {
  const isNew = !(await runAsSystem('demo', () => hasOwnIssuer(app.get(IssuersService))));
  const hasDemo =
    (await app.get(DirectoryService).findIssuer(DEMO.issuer)) !== null &&
    (await isOfDemo(app, 'issuer.create', DEMO.issuer));
  return (origin) => {
    const lines = [`Pixseal is listening on ${origin}, for the Cloudinary account ${cloudName}`];
    if (hasDemo) {
      lines.push(
        '',
        'The issuer Demo is of a start without CLOUDINARY_URL: the account has none of its images. Set DATA_DIR to a new folder, or delete it.',
      );
    }
    if (isNew) {
      lines.push(
        '',
        'To show an image of the account, run in a second terminal, with the same CLOUDINARY_URL:',
        `  ${firstSteps(origin, dataDir).join('\n  ')}`,
        '',
        'It imports originals of type authenticated; pixseal import --help has the other types, folders and tags.',
      );
    }
    if (playground) {
      lines.push('', 'The playground, to compose and sign your own tokens:', `  ${origin}/playground`);
    }
    return finish(lines, origin, dataDir);
  };
}

/** The commands of the README, section "With your Cloudinary account", for this process. */
function firstSteps(origin: string, dataDir: string): string[] {
  const pixseal = join(dirname(resolve(process.argv[1] ?? '')), 'pixseal.js');
  return [
    `export PIXSEAL_SERVER=${origin} PIXSEAL_ADMIN_KEY="$(jq -r .admin_api_key ${quote(embeddedSecretsPath(dataDir))})"`,
    `alias pixseal=${quote(`node ${quote(pixseal)}`)}`,
    'pixseal issuer create --name "My shop" --policy recommended --json > issuer.json',
    'export PIXSEAL_DSN="$(jq -r .key.dsn issuer.json)"',
    'pixseal import',
    `pixseal token mint --image "$(pixseal image list --json | jq -r '.[0].id')" --step width=400,crop=limit --expires-in 1h --no-download --url`,
  ];
}

/** A word of a shell. */
function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function finish(lines: readonly string[], origin: string, dataDir: string): string {
  const last = `The admin key is in ${embeddedSecretsPath(dataDir)}; the API documentation is at ${origin}/docs`;
  return `\n${[...lines, '', last].join('\n')}\n\n`;
}

async function hasOwnIssuer(issuers: IssuersService): Promise<boolean> {
  const { rows } = await issuers.list({ limit: 2 });
  return rows.some(({ id }) => id !== DEMO.issuer);
}

/**
 * The page with the demo's ids, and its secret if that may be shown. They follow the `#`: a browser does not send it,
 * so no log contains it, and the page removes it from the address.
 */
function playgroundPath(secret: KeyObject | null): string {
  const brought = new URLSearchParams({ issuer: DEMO.issuer, image: DEMO.image, overlay: DEMO.overlay });
  if (secret !== null) brought.set('secret', secret.export().toString());
  return `/playground#${brought.toString()}`;
}

/** Whether this service created a row for the demo: an operator may have created the issuer or its key. */
async function isOfDemo(
  app: INestApplicationContext,
  action: 'issuer.create' | 'issuer_key.create',
  id: string,
): Promise<boolean> {
  const audit = app.get(AuditService, { strict: false });
  const made = { row_id: id, action, limit: 1 };
  const { rows } = await runAsSystem('demo', () => audit.list(made));
  return rows[0]?.actor === 'demo';
}

/**
 * Creates the demo rows if the database has no issuer and this service stores the originals: in mode `cloudinary` they
 * would name images that the account does not have. Deleted demo images are not created again, and after an issuer was
 * created no demo is needed. An interrupted start is completed by the next.
 */
export async function createDemoRows(
  app: INestApplicationContext,
  deliveryMode: DeliveryMode,
): Promise<void> {
  if (deliveryMode === 'cloudinary') return;
  await runAsSystem('demo', () => createRows(app));
}

async function createRows(app: INestApplicationContext): Promise<void> {
  const issuers = app.get(IssuersService);
  const directory = app.get(DirectoryService);
  const { rows } = await issuers.list({ limit: 2 });
  if (rows.some(({ id }) => id !== DEMO.issuer)) return;
  if (rows.length > 0 && !(await isOfDemo(app, 'issuer.create', DEMO.issuer))) return;
  // The last row to be created, even if deleted.
  if ((await directory.loadImage(DEMO.issuer, DEMO.image)) !== null) return;
  const { drawPhoto, drawWatermark } = await import('./drawings.js');
  const [watermark, photo] = [await drawWatermark(), await drawPhoto()];
  // The seed's token names no image and never expires: DEFAULT_POLICY must not refuse it.
  if (rows.length === 0) await issuers.create({ id: DEMO.issuer, name: 'Demo', policy: {} });
  if ((await directory.loadOverlay(DEMO.overlay)) === null) {
    await app
      .get(OverlaysService)
      .create({ id: DEMO.overlay, issuer_id: DEMO.issuer, public_id: 'd47e609177b4' }, watermark);
  }
  await app
    .get(ImagesService)
    .create(
      { id: DEMO.image, issuer_id: DEMO.issuer, public_id: 'ba5a440dbe3d', version: 123123, format: 'png' },
      photo,
    );
}
