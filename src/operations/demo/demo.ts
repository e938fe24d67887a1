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

type WelcomeSettings = Pick<Environment, 'cloudinary' | 'console' | 'dataDir' | 'docs' | 'playground'>;
type Link = readonly [title: string, path: string];

/**
 * Prints, once the service listens, what a user of embedded mode needs: a URL of the demo image, and where the key is.
 */
export async function welcome(
  app: NestFastifyApplication,
  environment: WelcomeSettings & Pick<Environment, 'deliveryMode' | 'host'>,
): Promise<(origin: string) => string> {
  const { host, playground } = environment;
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
    const images: Link[] = [];
    if (key !== undefined) {
      const link = (claims: Readonly<Record<string, unknown>>): string => {
        const token = signer.sign(
          { iss: DEMO.issuer, ...claims },
          { algorithm: key.algorithm, secret: key.secret },
        );
        return `/images/${DEMO.image}?token=${token}`;
      };
      images.push(
        [
          'The demo image, watermarked, in the browser',
          link({ transformations: DEMO.large, sharinpix: { download: false } }),
        ],
        [
          'The same image as a download, 101 pixels wide',
          link({ transformations: DEMO.transformations, sharinpix: {} }),
        ],
      );
    }
    const secret = isSupplied ? key.secret : null;
    const path = key === undefined ? '/playground' : playgroundPath(secret);
    return format(origin, environment, '', [], [...images, ...pageLinks(environment, path)]);
  };
}

/** The same with a Cloudinary account: how to show an image of it, until an issuer was created. */
async function welcomeAccount(
  app: NestFastifyApplication,
  environment: WelcomeSettings,
): Promise<(origin: string) => string> {
  const { cloudinary, dataDir } = environment;
  const isNew = !(await runAsSystem('demo', () => hasOwnIssuer(app.get(IssuersService))));
  const hasDemo =
    (await app.get(DirectoryService).findIssuer(DEMO.issuer)) !== null &&
    (await isOfDemo(app, 'issuer.create', DEMO.issuer));
  const leftover = [
    '',
    'The issuer Demo is of a start without CLOUDINARY_URL: the account has none of its images. Set DATA_DIR to a new folder, or delete it.',
  ];
  const steps = [
    '',
    'To show an image of the account, run in a second terminal, with the same CLOUDINARY_URL:',
    `  ${firstSteps(dataDir).join('\n  ')}`,
    '',
    'It imports originals of type authenticated; pixseal import --help has the other types, folders and tags.',
  ];
  return (origin) =>
    format(
      origin,
      environment,
      `, for the Cloudinary account ${cloudinary.cloudName}`,
      [...(hasDemo ? leftover : []), ...(isNew ? steps : [])],
      pageLinks(environment, '/playground'),
    );
}

/** The commands of the README, section "With your Cloudinary account", for this process. */
function firstSteps(dataDir: string): string[] {
  const pixseal = join(dirname(resolve(process.argv[1] ?? '')), 'pixseal.js');
  return [
    `alias pixseal=${quote(`DATA_DIR=${quote(dataDir)} node ${quote(pixseal)}`)}`,
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

/** @param playground The path of the playground. */
function pageLinks(settings: WelcomeSettings, playground: string): Link[] {
  return [
    ...(settings.playground
      ? ([['The playground, to compose and sign your own tokens', playground]] as const)
      : []),
    ...(settings.console ? ([['The console, to manage issuers and images', '/console']] as const) : []),
    ...(settings.docs ? ([['The API documentation', '/docs']] as const) : []),
  ];
}

/** The links come last, the most important first: a terminal shows the end. */
function format(
  origin: string,
  { dataDir }: WelcomeSettings,
  account: string,
  steps: readonly string[],
  links: readonly Link[],
): string {
  const lines = [
    `Pixseal is listening on ${origin}${account}`,
    `The admin key is admin_api_key in ${embeddedSecretsPath(dataDir)}`,
    ...steps,
    ...links.flatMap(([title, path]) => ['', `${title}:`, `  ${origin}${path}`]),
  ];
  return `\n${lines.join('\n')}\n\n`;
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
  const fragment = new URLSearchParams({ issuer: DEMO.issuer, image: DEMO.image, overlay: DEMO.overlay });
  if (secret !== null) fragment.set('secret', secret.export().toString());
  return `/playground#${fragment.toString()}`;
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
      .create(
        { id: DEMO.overlay, issuer_id: DEMO.issuer, public_id: 'd47e609177b4' },
        { content: watermark, originalFilename: null },
      );
  }
  await app
    .get(ImagesService)
    .create(
      { id: DEMO.image, issuer_id: DEMO.issuer, public_id: 'ba5a440dbe3d', version: 123123, format: 'png' },
      { content: photo, originalFilename: null },
    );
}
