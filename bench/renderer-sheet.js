// `npm run renderer:sheet`: every golden sample, rendered afresh by the built renderer, on one sheet to look at.
import { readFile, writeFile } from 'node:fs/promises';
import sharp from 'sharp';
import { ORIGINALS, SAMPLES } from '../test/renderer/samples.js';

const TARGET = process.argv[2] ?? 'docs/renderer-sheet.jpg';
const COLUMNS = 8;
const CELL = { width: 200, image: 120, caption: 74, gap: 14 };
/** Neutral, so that no colour looks other than it is; what is transparent shows it. */
const GROUND = '#a6a6a6';

const { ImageRenderer } = /** @type {typeof import('../src/renderer/image/image-renderer.js')} */ (
  await loadBuilt('image-renderer')
);
const { renderText } = /** @type {typeof import('../src/renderer/image/text/render-text.js')} */ (
  await loadBuilt('text/render-text')
);

const files = new Map();
for (const [name, file] of Object.entries(ORIGINALS)) {
  files.set(name, await readFile(new URL(`../test/renderer/goldens/originals/${file}`, import.meta.url)));
}
const renderer = new ImageRenderer({ find: (_, publicId) => Promise.resolve(files.get(publicId) ?? null) });

const pieces = [];
for (const [index, sample] of SAMPLES.entries()) {
  const left = CELL.gap + (index % COLUMNS) * (CELL.width + CELL.gap);
  const top = CELL.gap + Math.floor(index / COLUMNS) * (CELL.image + CELL.caption + CELL.gap);
  const image = await fitted(await render(sample), CELL.width, CELL.image);
  pieces.push({
    input: image.data,
    left: left + Math.floor((CELL.width - image.info.width) / 2),
    top: top + CELL.image - image.info.height,
  });
  const title = await written(sample.name, 'Arial_13_bold');
  pieces.push({ ...title, left, top: top + CELL.image + 8 });
  const caption = await written(sample.chain.join('/'), 'Arial_10');
  pieces.push({ ...caption, left, top: top + CELL.image + 26 });
}

const width = CELL.gap + COLUMNS * (CELL.width + CELL.gap);
const height = CELL.gap + Math.ceil(SAMPLES.length / COLUMNS) * (CELL.image + CELL.caption + CELL.gap);
const sheet = await sharp({ create: { width, height, channels: 3, background: GROUND } })
  .composite(pieces)
  .jpeg({ quality: 82, chromaSubsampling: '4:4:4' })
  .toBuffer();
await writeFile(TARGET, sheet);
process.stdout.write(`${TARGET}: ${SAMPLES.length} samples, ${width} × ${height}, ${sheet.length} bytes\n`);

/** @type {(module: string) => Promise<unknown>} */
function loadBuilt(module) {
  return import(new URL(`../dist/src/renderer/image/${module}.js`, import.meta.url).href);
}

/** @param {import('../test/renderer/samples.js').Sample} sample */
async function render({ chain, of = 'photo', format = 'png' }) {
  const request = {
    deliveryType: /** @type {const} */ ('private'),
    publicId: of,
    chain,
    format,
    accept: undefined,
  };
  return (await renderer.render(request, AbortSignal.timeout(20_000))).body;
}

/**
 * @param {Buffer} body
 * @param {number} width
 * @param {number} height
 */
async function fitted(body, width, height) {
  // The frames of an animation lie below each other.
  const frames = await sharp(body, { animated: true }).png().toBuffer();
  return sharp(frames)
    .resize({ width, height, fit: 'inside', withoutEnlargement: true })
    .png()
    .toBuffer({ resolveWithObject: true });
}

/**
 * Text in the renderer's own fonts, so that the sheet is alike on every machine.
 * @param {string} text
 * @param {string} font
 */
async function written(text, font) {
  const layer = `text:${font}:${encodeURIComponent(encodeURIComponent(text))}`;
  const { frames } = await renderText(layer, { crop: 'fit', width: CELL.width });
  const [{ width, height, pixels }] = frames;
  return { input: pixels, raw: { width, height, channels: /** @type {const} */ (4) } };
}
