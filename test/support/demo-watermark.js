// Looks whether the demo's pictures are watermarked: node demo-watermark.js < WHAT_NPM_START_PRINTED
// Each is compared with what its token shows without the overlay, sealed by the secret that the printed link to the
// playground brings. Plain JavaScript, since .ci/run lets a fresh clone's Node run it.
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import sharp from 'sharp';

/** A tiled mark is in every cell of as many rows and columns. */
const GRID = 4;
/** The least by which a mark changes some pixel of a cell, of 255. Without one the pictures are the same. */
const VISIBLE = 12;

const printed = readFileSync(0, 'utf8');
const urls = printed.match(/http:\/\/\S+\/images\/\S+token=\S+/g) ?? [];
const [, secret = ''] = /\/playground#\S*\bsecret=([\w-]+)/.exec(printed) ?? [];
if (urls.length !== 2 || secret === '')
  throw new Error('Two pictures and a secret should have been printed.');

for (const url of urls) {
  const marked = await decode(url);
  const plain = await decode(withoutOverlay(url));
  const { width, height } = marked.info;
  for (const [cell, change] of greatestChanges(marked, plain).entries()) {
    if (change < VISIBLE)
      throw new Error(`There is no watermark in cell ${cell} of ${width} × ${height}: ${url}`);
  }
  process.stdout.write(`${width} × ${height}: watermarked\n`);
}

/** @param {string} url */
function withoutOverlay(url) {
  const [origin, token = ''] = url.split('?token=');
  const [header, payload = ''] = token.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const transformations = claims.transformations.filter((step) => !('overlay' in step));
  if (transformations.length === claims.transformations.length)
    throw new Error(`No overlay is sealed: ${url}`);
  const sealed = `${header}.${Buffer.from(JSON.stringify({ ...claims, transformations })).toString('base64url')}`;
  return `${origin}?token=${sealed}.${createHmac('sha256', secret).update(sealed).digest('base64url')}`;
}

/** @param {string} url */
async function decode(url) {
  const answer = await fetch(url);
  if (answer.status !== 200) throw new Error(`It answered ${answer.status}: ${url}`);
  return sharp(await answer.arrayBuffer())
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
}

/**
 * How far apart the most different pixels of each cell are.
 * @param {{ data: Buffer, info: sharp.OutputInfo }} one
 * @param {{ data: Buffer, info: sharp.OutputInfo }} other
 */
function greatestChanges({ data, info: { width, height } }, other) {
  if (other.data.length !== data.length) throw new Error('The pictures differ in size.');
  const changes = Array.from({ length: GRID * GRID }, () => 0);
  for (const [at, value] of data.entries()) {
    const pixel = Math.floor(at / 3);
    const row = Math.floor((Math.floor(pixel / width) * GRID) / height);
    const column = Math.floor(((pixel % width) * GRID) / width);
    const cell = row * GRID + column;
    changes[cell] = Math.max(changes[cell] ?? 0, Math.abs(value - (other.data[at] ?? 0)));
  }
  return changes;
}
