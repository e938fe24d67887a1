// Checks that the demo's images are watermarked: node demo-watermark.js < OUTPUT_OF_NPM_START
// Each is compared with its image without the overlay, from a token signed with the secret that the printed link to the
// playground contains. Plain JavaScript, since .ci/run runs it in a fresh clone.
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import sharp from 'sharp';

/** A tiled mark is in every cell of this number of rows and columns. */
const GRID = 4;
/** The minimum change of some pixel in a cell by a mark, of 255. Without a mark the images are equal. */
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
    throw new Error(`No overlay in the token: ${url}`);
  const signed = `${header}.${Buffer.from(JSON.stringify({ ...claims, transformations })).toString('base64url')}`;
  return `${origin}?token=${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
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
 * The greatest difference between two pixels in each cell.
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
