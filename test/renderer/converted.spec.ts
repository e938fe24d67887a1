import '../support/built.js';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { inspectOriginal } from '../../src/originals/inspect-original.js';
import { HEIC, JXL, makeBmp, makeIco, makePdf, makeSvg } from '../originals/converted-pictures.js';
import { drawPicture } from '../originals/pictures.js';
import { pixelsOf, refusal, render, shelf } from './drawings.js';

/** A PDF whose pages are only claimed. */
const makePdfOf = (kids: string, count: number): Buffer =>
  Buffer.from(
    `%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids${kids}/Count ${count}>>endobj\ntrailer<</Root 1 0 R>>\n`,
  );

const RECTANGLES =
  '<rect width="64" height="48" fill="#c81e1e"/><rect x="32" y="24" width="32" height="24" fill="#1e1ec8"/>';

const png = async (side: number, background: string): Promise<Buffer> =>
  await sharp({ create: { width: side, height: side, channels: 3, background } })
    .png()
    .toBuffer();

const ENCRYPTED_PDF = Buffer.from(
  [
    '%PDF-1.4',
    '1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj',
    '2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj',
    '3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj',
    `4 0 obj<</Filter/Standard/V 1/R 2/P -4/O<${'41'.repeat(32)}>/U<${'42'.repeat(32)}>>>endobj`,
    'trailer<</Root 1 0 R/Encrypt 4 0 R/ID[<00><00>]>>\n',
  ].join('\n'),
);
const RED_PNG = await png(48, 'red');
const folder = mkdtempSync(join(tmpdir(), 'pixseal-svg-'));
const besides = join(folder, 'beside.png');
writeFileSync(besides, await png(48, 'green'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('an original that is converted', () => {
  it.each<[string, Buffer]>([
    ['svg', makeSvg(RECTANGLES)],
    ['bmp', makeBmp()],
    ['heic', HEIC],
    ['jxl', JXL],
  ])('is a %s, with its size and its colors', async (format, body) => {
    await expect(inspectOriginal(body)).resolves.toMatchObject({
      content: body,
      format,
      width: 64,
      height: 48,
    });
    const { width, height, at } = await pixelsOf(body, 'w_32');
    expect([width, height]).toEqual([32, 24]);
    for (const [place, color] of [
      [
        [4, 4],
        [200, 30, 30, 255],
      ],
      [
        [28, 20],
        [30, 30, 200, 255],
      ],
    ] as const) {
      for (const [channel, value] of at(place[0], place[1]).entries()) {
        expect(Math.abs(value - (color[channel] ?? -99))).toBeLessThan(8);
      }
    }
  });

  it('is an ICO, of which the largest image counts', async () => {
    const body = makeIco([16, await png(16, 'red')], [48, await png(48, 'blue')], [32, await png(32, 'red')]);
    await expect(inspectOriginal(body)).resolves.toMatchObject({ format: 'ico', width: 48, height: 48 });
    expect((await pixelsOf(body)).at(20, 20)).toEqual([0, 0, 255, 255]);
  });

  it('is a PDF, whose pages are drawn at 150 dots per inch or at `dn`', async () => {
    const body = makePdf([144, 72], [72, 216]);
    await expect(inspectOriginal(body)).resolves.toMatchObject({ format: 'pdf', width: 300, height: 150 });
    const first = await pixelsOf(body, 'c_limit,w_1000');
    expect([first.width, first.height, first.at(20, 130), first.at(20, 20)]).toEqual([
      ...[300, 150],
      [255, 0, 0, 255],
      [255, 255, 255, 255],
    ]);
    const second = await pixelsOf(body, 'pg_2', 'dn_72');
    expect([second.width, second.height]).toEqual([72, 216]);
    expect(await refusal(body, ['pg_3'])).toBe('400 Page 3 does not exist: the image has 2');
    expect(await refusal(body, ['dn_10000'])).toMatch(/^400 The image has 20000 × 10000 pixels/);
  });

  it('is a PDF with pages of any size, at least a pixel', async () => {
    for (const [points, dn, size] of [
      [[200.9, 100.9], 'dn_150', [419, 210]],
      [[0.5, 0.5], 'dn_150', [1, 1]],
      [[1, 100], 'dn_50', [1, 69]],
    ] as const) {
      const body = makePdf(points);
      await expect(inspectOriginal(body)).resolves.toMatchObject({ format: 'pdf' });
      const { width, height } = await pixelsOf(body, dn);
      expect([width, height]).toEqual(size);
    }
    const { headers } = await render(makePdf([72, 72]), ['dn_72']);
    expect(headers).toEqual({});
  });

  it('is converted in memory of its own: no other file is in it', async () => {
    const memory = Buffer.alloc(8_192, 'secret');
    const icon = makeIco([48, Buffer.concat([makeBmp().subarray(14, 54), Buffer.alloc(8)])]);
    const shared = memory.subarray(0, icon.copy(memory));
    await expect(inspectOriginal(shared)).rejects.toMatchObject({ extensions: { limit: 'integrity' } });
  });

  it('may be a layer', async () => {
    const originals = shelf({ 'private/photo': await drawPicture(1), 'upload/mark': makeSvg(RECTANGLES) });
    const { at } = await pixelsOf(originals, 'l_mark,w_20');
    expect(at(24, 18)).toEqual([200, 30, 30, 255]);
  });

  it('is delivered as JPEG or PNG without an extension, and never as itself', async () => {
    const opaque = await render(makeSvg(RECTANGLES), [], { format: '' });
    const transparent = await render(makeSvg('<circle r="9" fill-opacity="0.5"/>'), [], { format: '' });
    expect([opaque.contentType, transparent.contentType]).toEqual(['image/jpeg', 'image/png']);
    for (const format of ['svg', 'pdf', 'bmp', 'ico', 'heic', 'jxl']) {
      expect(await refusal(makeSvg(RECTANGLES), ['fl_attachment'], { format })).toBe(
        `400 Invalid extension in transformation: ${format}`,
      );
    }
  });

  it('has straight alpha', async () => {
    const { at } = await pixelsOf(
      makeSvg('<rect width="64" height="48" fill="#ff8040" fill-opacity="0.5"/>'),
    );
    expect(at(9, 9)).toEqual([255, 128, 64, 128]);
  });
});

describe('an SVG', () => {
  it.each([
    ['an image of the file system', `<image href="${besides}" width="48" height="48"/>`],
    ['an image by file:', `<image xlink:href="file://${besides}" width="48" height="48"/>`],
    ['an image by http:', '<image href="http://127.0.0.1:9/x.png" width="48" height="48"/>'],
    ['a part of another file', `<use href="${besides}#a"/>`],
    ['a style sheet', '<style>@import url("file:///etc/passwd");</style>'],
    ['a script', '<script>throw 1</script><g onload="throw 1"/>'],
    [
      'a web page',
      '<foreignObject width="48" height="48"><b xmlns="http://www.w3.org/1999/xhtml">x</b></foreignObject>',
    ],
  ])('neither loads nor runs %s', async (_, content) => {
    const body = makeSvg(content);
    await expect(inspectOriginal(body)).resolves.toMatchObject({ width: 64 });
    const { at } = await pixelsOf(body);
    for (let place = 1; place < 48; place += 1) expect(at(place, place)).toEqual([0, 0, 0, 0]);
  });

  it('reports images that it leaves out', async () => {
    const { headers } = await render(makeSvg(`<image href="${besides}" width="48" height="48"/>`), []);
    expect(headers).toEqual({ 'X-Pixseal-Approximate': 'SVG: external images are left out' });
  });

  it.each([
    ['a text that its fonts have', '<text y="20">Straße, Ελλάδα, Київ, שלום</text>', {}],
    ['a text that they lack', '<text y="20">中文</text>', 'characters without a glyph'],
    ['an emoji', '<text y="20">\u{1f600}</text>', 'characters without a glyph'],
    [
      'an image of a format that it lacks, and such a text',
      '<image href="data:image/avif;base64,AAAA" width="9" height="9"/><text>ไทย</text>',
      'external images and characters without a glyph',
    ],
  ])('says what it leaves out of %s', async (_, content, expected) => {
    const { headers } = await render(makeSvg(content), []);
    expect(headers).toEqual(
      typeof expected === 'string' ? { 'X-Pixseal-Approximate': `SVG: ${expected} are left out` } : expected,
    );
  });

  it.each([
    [
      'an external entity',
      '<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
      '<text y="20">&x;</text>',
    ],
    [
      'entities that grow',
      `<!DOCTYPE svg [<!ENTITY a0 "aaaaaaaaaa">${Array.from({ length: 9 }, (_, at) => `<!ENTITY a${at + 1} "${`&a${at};`.repeat(10)}">`).join('')}]>`,
      '<text y="20">&a9;</text>',
    ],
  ])('is refused with %s', async (_, doctype, content) => {
    const body = Buffer.concat([Buffer.from(doctype), makeSvg(content)]);
    await expect(inspectOriginal(body)).rejects.toMatchObject({ extensions: { limit: 'integrity' } });
    expect(await refusal(body, ['w_20'])).toBe('400 Invalid image file');
  });

  it('is refused if it takes longer than an upload may', async () => {
    const dilate = '<feMorphology operator="dilate" radius="200"/>'.repeat(50);
    const body = makeSvg(
      `<filter id="f" x="0" y="0" width="1" height="1">${dilate}</filter><rect width="4000" height="4000" filter="url(#f)"/>`,
      'width="4000" height="4000"',
    );
    await expect(inspectOriginal(body)).rejects.toMatchObject({ extensions: { limit: 'time' } });
  }, 60_000);
});

describe('an original that cannot be converted', () => {
  it.each<[string, string, Buffer]>([
    ['a PDF of nothing', 'integrity', Buffer.from('%PDF-1.7\n')],
    ['a truncated HEIC', 'integrity', HEIC.subarray(0, HEIC.length / 2)],
    ['a truncated JPEG XL', 'integrity', JXL.subarray(0, JXL.length / 2)],
    ['a truncated BMP', 'integrity', makeBmp().subarray(0, 1_000)],
    ['an ICO of nothing', 'integrity', makeIco()],
    ['an ICO of a truncated PNG', 'integrity', makeIco([48, RED_PNG.subarray(0, 60)])],
    ['an ICO of a PNG without a width', 'integrity', makeIco([48, Buffer.from(RED_PNG).fill(0, 16, 20)])],
    ['an ICO whose image is behind its end', 'integrity', makeIco([48, RED_PNG]).fill(255, 14, 16)],
    ['a PDF whose page is missing', 'integrity', makePdfOf('[9 0 R]', 1)],
    ['a PDF whose pages contain themselves', 'integrity', makePdfOf('[2 0 R 2 0 R]', 2)],
    ['a PDF with a password', 'type', ENCRYPTED_PDF],
    ['a PDF that claims pages', 'integrity', makePdfOf('[]', 1_000_000)],
    ['an SVG of text', 'integrity', Buffer.from('<svg and nothing else')],
    ['an SVG of too many pixels', 'pixels', makeSvg('', 'width="10000" height="5001"')],
    ['a PDF of too many pixels', 'pixels', makePdf([7_200, 7_200])],
    ['a BMP of too many pixels', 'pixels', makeBmp(10_000, 1).fill(0xff, 22, 24)],
    ['a BMP of runs', 'type', makeBmp().fill(1, 30, 31)],
  ])('is %s: beyond the limit of %s', async (_, limit, body) => {
    await expect(inspectOriginal(body)).rejects.toMatchObject({ extensions: { limit } });
    expect(await refusal(body, ['w_20'])).toMatch(/^400 /);
  });
});
