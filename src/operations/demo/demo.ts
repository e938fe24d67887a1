import type { KeyObject } from 'node:crypto';
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

/** Where a page can seal and nobody else can look: this machine. */
const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '::1', 'localhost']);

/**
 * What a person who started embedded mode wants to know, once it listens: a URL that shows the demo's picture, and where
 * the key is.
 */
export async function welcome(
  app: NestFastifyApplication,
  { dataDir, host, playground }: Pick<Environment, 'dataDir' | 'host' | 'playground'>,
): Promise<(origin: string) => string> {
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
          'The playground, to compose and seal your own:',
          `  ${origin}${playgroundPath(isSupplied ? key.secret : null)}`,
        );
      }
    }
    lines.push(
      '',
      `The admin key is in ${embeddedSecretsPath(dataDir)}; the API is described at ${origin}/docs`,
    );
    return `\n${lines.join('\n')}\n\n`;
  };
}

/**
 * The page with the demo's ids, and its secret where that may be shown. They stand behind the `#`: a browser does
 * not send that, so that no log has it, and the page takes it out of the address.
 */
function playgroundPath(secret: KeyObject | null): string {
  const brought = new URLSearchParams({ issuer: DEMO.issuer, image: DEMO.image, overlay: DEMO.overlay });
  if (secret !== null) brought.set('secret', secret.export().toString());
  return `/playground#${brought.toString()}`;
}

/** Whether this service made a row for the demo: the demo's issuer, or a key of it, may be an operator's. */
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
 * Loads the demo rows where the database has no issuer, with pictures where this service keeps the originals. They come
 * once: a demo image that was deleted does not come back, and whoever made an issuer before the first start has rows
 * to look at. A start that was ended midway is taken up by the next.
 */
export async function createDemoRows(
  app: INestApplicationContext,
  deliveryMode: DeliveryMode,
): Promise<void> {
  await runAsSystem('demo', () => createRows(app, deliveryMode));
}

async function createRows(app: INestApplicationContext, deliveryMode: DeliveryMode): Promise<void> {
  const issuers = app.get(IssuersService);
  const directory = app.get(DirectoryService);
  const { rows } = await issuers.list({ limit: 2 });
  if (rows.some(({ id }) => id !== DEMO.issuer)) return;
  if (rows.length > 0 && !(await isOfDemo(app, 'issuer.create', DEMO.issuer))) return;
  // The last of them, deleted or not.
  if ((await directory.loadImage(DEMO.issuer, DEMO.image)) !== null) return;
  const drawn = deliveryMode === 'cloudinary' ? null : await import('./drawings.js');
  const [watermark, photo] = [await drawn?.drawWatermark(), await drawn?.drawPhoto()];
  // The seed's token names no image and never expires: no DEFAULT_POLICY may refuse it.
  if (rows.length === 0) await issuers.create({ id: DEMO.issuer, name: 'Demo', policy: {} });
  if ((await directory.loadOverlay(DEMO.issuer, DEMO.overlay)) === null) {
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
