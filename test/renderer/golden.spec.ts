import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import pixelmatch from 'pixelmatch';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { IMPLEMENTED } from '../../src/renderer/image/effects/effect-table.js';
import { isLayerEffect } from '../../src/renderer/image/layers/compose-layer.js';
import { ImageRenderer } from '../../src/renderer/image/image-renderer.js';
import { EFFECTS } from '../../src/transformations/effects.js';
import { shelf } from './drawings.js';
import { ORIGINALS, SAMPLES, type Sample } from './samples.js';

const FOLDER = new URL('goldens/', import.meta.url);
/** Renders all of them again; look at the sheet (`npm run renderer:sheet`) before they are committed. */
const isUpdate = process.env['UPDATE_GOLDENS'] === '1';

/** A pixel differs where pixelmatch (YIQ, anti-aliased pixels counted) sees more than this, of 1: a tenth would let a hue pass. */
const THRESHOLD = 0.05;
/** Share of the pixels that may differ: for what another build of libvips rounds otherwise. */
const TOLERANCE = 0.002;
/** Of text more, since FreeType's outlines move by a fraction of a pixel. */
const TEXT_TOLERANCE = 0.02;

interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Buffer;
}

const renderer = new ImageRenderer(
  shelf(
    Object.fromEntries(
      Object.entries(ORIGINALS).flatMap(([name, file]) => {
        const body = readFileSync(new URL(`originals/${file}`, FOLDER));
        return [
          [`private/${name}`, body],
          [`upload/${name}`, body],
        ];
      }),
    ),
  ),
);

async function renderSample({ chain, of = 'photo', format = 'png' }: Sample): Promise<Pixels> {
  const { body } = await renderer.render(
    { deliveryType: 'private', publicId: of, chain, format, accept: undefined },
    AbortSignal.timeout(20_000),
  );
  return unpack(body);
}

/** Pixels with alpha; the frames of an animation lie below each other. */
async function unpack(body: Buffer): Promise<Pixels> {
  const { data, info } = await sharp(body, { animated: true })
    .toColourspace('srgb')
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data };
}

const goldenOf = (name: string): URL => new URL(`${name}.png`, FOLDER);

/** The share of pixels that differ; 1 for images of different sizes. */
function difference(one: Pixels, other: Pixels): number {
  const { width, height } = one;
  if (width !== other.width || height !== other.height) return 1;
  return (
    pixelmatch(one.data, other.data, undefined, width, height, { threshold: THRESHOLD, includeAA: true }) /
    (width * height)
  );
}

if (isUpdate) {
  mkdirSync(FOLDER, { recursive: true });
  for (const sample of SAMPLES) {
    const { data, width, height } = await renderSample(sample);
    const png = sharp(data, { raw: { width, height, channels: 4 } }).png({ compressionLevel: 9 });
    writeFileSync(goldenOf(sample.name), await png.toBuffer());
  }
}

describe('a rendered image equals its reviewed golden image', () => {
  it.each(SAMPLES)('$name: $shows', async (sample) => {
    const golden = await unpack(readFileSync(goldenOf(sample.name)));
    const rendered = await renderSample(sample);
    expect([rendered.width, rendered.height]).toEqual([golden.width, golden.height]);
    expect(difference(rendered, golden)).toBeLessThanOrEqual(
      sample.name.startsWith('t-') ? TEXT_TOLERANCE : TOLERANCE,
    );
  });
});

describe('the golden images', () => {
  it('are one for each sample', () => {
    const names = SAMPLES.map(({ name }) => `${name}.png`);
    expect(new Set(names).size).toBe(names.length);
    const files = readdirSync(FOLDER).filter((file) => file.endsWith('.png'));
    expect(files.sort()).toEqual(names.sort());
    expect(
      Object.values(ORIGINALS).filter((file) => !existsSync(new URL(`originals/${file}`, FOLDER))),
    ).toEqual([]);
  });

  it('show every effect that is rendered', () => {
    const chains = SAMPLES.flatMap(({ chain }) => chain).join(',');
    const effects = [...IMPLEMENTED.keys(), ...[...EFFECTS.keys()].filter(isLayerEffect)];
    expect(effects.filter((name) => !new RegExp(`\\be_${name}\\b`).test(chains))).toEqual([]);
  });

  // Otherwise the tolerance would hide a step that does nothing.
  it.each(SAMPLES.filter(({ name }) => /^[elt]-/.test(name) && name !== 'e-loop'))(
    '$name differs from the image without its last step by more than is tolerated',
    async (sample) => {
      const golden = await unpack(readFileSync(goldenOf(sample.name)));
      const before = await renderSample({ ...sample, chain: sample.chain.slice(0, -1) });
      expect(difference(golden, before)).toBeGreaterThan(
        sample.name.startsWith('t-') ? TEXT_TOLERANCE : TOLERANCE,
      );
    },
  );
});
