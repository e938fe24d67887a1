import { readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { readDsn } from '@pixseal/client';
import { signImage } from '@pixseal/react/server';
import type { GalleryImage } from './gallery-image.js';

/** How long a page can load its images, in milliseconds. */
const VALIDITY = 3_600_000;
const WEB = join(import.meta.dirname, '../web');
const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.css': 'text/css',
};

const dsn = readDsn(process.env['PIXSEAL_DSN'] ?? '');
const images = JSON.parse(readFileSync(process.env['IMAGES'] ?? 'images.json', 'utf8')) as readonly {
  readonly id: string;
  readonly alt: string;
}[];

/** Signs every image for an hour or two: the same URLs during an hour, so that browsers cache the images. */
async function signGallery(): Promise<GalleryImage[]> {
  const exp = new Date((Math.floor(Date.now() / VALIDITY) + 2) * VALIDITY);
  return Promise.all(
    images.map(async ({ id, alt }) => {
      const source = await signImage({
        ...dsn,
        imageId: id,
        widths: [200, 400, 800, 1200],
        aspectRatio: 4 / 3,
        exp,
      });
      return { id, alt, source };
    }),
  );
}

/** The files of the built page, by path: a request can read no other. */
function readPage(): ReadonlyMap<string, string> {
  const html = readFileSync(join(WEB, 'index.html'), 'utf8');
  const assets = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].flatMap(([, path]) => path ?? []);
  return new Map([
    ['/', html],
    ...assets.map((path) => [path, readFileSync(join(WEB, path), 'utf8')] as const),
  ]);
}

const page = readPage();

async function respond(path: string, response: ServerResponse): Promise<void> {
  const file = page.get(path);
  if (path === '/api/images') {
    response.setHeader('content-type', 'application/json');
    // The tokens are the viewer's own.
    response.setHeader('cache-control', 'private, no-store');
    response.end(JSON.stringify(await signGallery()));
  } else if (file === undefined) {
    response.writeHead(404).end();
  } else {
    response.setHeader('content-type', TYPES[extname(path)] ?? 'text/html; charset=utf-8');
    response.end(file);
  }
}

const server = createServer((request, response) => {
  respond(new URL(request.url ?? '/', 'http://localhost').pathname, response).catch((error: unknown) => {
    console.error(error);
    if (!response.headersSent) response.writeHead(500);
    response.end();
  });
});
server.listen(Number(process.env['PORT'] ?? 4000), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
});
