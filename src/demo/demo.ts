import type { INestApplicationContext } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { embeddedSecretsPath } from '../config/embedded-secrets.js';
import { DirectoryService } from '../directory/directory.service.js';
import { ImagesService } from '../images/images.service.js';
import { IssuersService } from '../issuers/issuers.service.js';
import { OverlaysService } from '../overlays/overlays.service.js';
import { TokenSealer } from '../tokens/token-sealer.js';

/** The seed's own ids. */
export const DEMO = {
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
} as const;

/** What a person who started embedded mode wants to know: a URL that shows the seed's chain, and where the key is. */
export async function printWelcome(app: NestFastifyApplication, dataDir: string): Promise<void> {
  const origin = await app.getUrl();
  const lines = [`Pixseal is listening on ${origin}`];
  const issuer = await app.get(DirectoryService).findIssuer(DEMO.issuer);
  const [key] = issuer?.keys ?? [];
  if (key !== undefined) {
    const payload = { iss: DEMO.issuer, transformations: DEMO.transformations, sharinpix: {} };
    const token = app
      .get(TokenSealer, { strict: false })
      .seal(payload, { algorithm: key.algorithm, secret: key.secret });
    lines.push('', 'Open the demo image, watermarked:', `  ${origin}/images/${DEMO.image}?token=${token}`);
  }
  lines.push(
    '',
    `The admin key is in ${embeddedSecretsPath(dataDir)}; the API is described at ${origin}/docs`,
  );
  process.stdout.write(`\n${lines.join('\n')}\n\n`);
}

/** Loads the demo rows where the database is new. They come once: a demo image that was deleted does not come back. */
export async function createDemoRows(app: INestApplicationContext): Promise<void> {
  const issuers = app.get(IssuersService);
  const { rows } = await issuers.list({ limit: 1 });
  if (rows.length > 0) return;
  await issuers.create({ id: DEMO.issuer, name: 'Demo' });
  await app
    .get(OverlaysService)
    .create({ id: DEMO.overlay, issuer_id: DEMO.issuer, public_id: 'd47e609177b4' });
  await app.get(ImagesService).create({
    id: DEMO.image,
    issuer_id: DEMO.issuer,
    public_id: 'ba5a440dbe3d',
    version: 123123,
    format: 'png',
  });
}
