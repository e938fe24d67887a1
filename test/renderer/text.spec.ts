import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Approximations } from '../../src/renderer/image/approximations.js';
import type { Frame } from '../../src/renderer/image/raster-image.js';
import { RenderError } from '../../src/renderer/image/render.errors.js';
import { editionOf } from '../../src/renderer/render-workers.js';
import { FontFileError, loadFontFiles } from '../../src/renderer/image/text/font-files.js';
import { registerFonts } from '../../src/renderer/image/text/fonts.js';
import { renderText, type TextOptions } from '../../src/renderer/image/text/render-text.js';
import { parseFont, type TextStyle } from '../../src/renderer/image/text/text-style.js';
import { loadTextStyles, readTextStyle, TextStyleError } from '../../src/renderer/image/text/text-styles.js';
import { writeTextLayer } from '../../src/transformations/text-layer.js';

/** A script that no other font of the tests has. */
const OL_CHIKI = resolve(
  'node_modules/@expo-google-fonts/noto-sans-ol-chiki/400Regular/NotoSansOlChiki_400Regular.ttf',
);

// Pango keeps the fonts of its first text.
beforeAll(() => registerFonts([OL_CHIKI]));

const render = async (layer: string, options: TextOptions = {}): Promise<Frame> =>
  (await renderText(layer, options)).frames[0];
/** Text in a font, as the mapper writes it. */
const inFont = (font: string, text: string, options: TextOptions = {}): Promise<Frame> =>
  render(`text:${font}:${encodeURIComponent(text)}`, options);
/** How much is inked, in whole pixels. */
const inkOf = ({ pixels }: Frame): number =>
  pixels.reduce((sum, value, at) => (at % 4 === 3 ? sum + value : sum), 0) / 255;
const hasPixel = ({ pixels }: Frame, colour: readonly number[]): boolean => {
  const wanted = Buffer.from(colour).readUInt32LE();
  for (let at = 0; at < pixels.length; at += 4) if (pixels.readUInt32LE(at) === wanted) return true;
  return false;
};

describe('a text layer as pixels', () => {
  it('is trimmed to its ink', async () => {
    const { width, height, pixels } = await inFont('Arial_40', 'Hello');
    expect(pixels).toHaveLength(width * height * 4);
    const inked = (indices: number[]): boolean => indices.some((index) => (pixels[index * 4 + 3] ?? 0) > 0);
    const [columns, rows] = [[...Array(width).keys()], [...Array(height).keys()]];
    expect(inked(columns)).toBe(true);
    expect(inked(columns.map((x) => (height - 1) * width + x))).toBe(true);
    expect(inked(rows.map((y) => y * width))).toBe(true);
    expect(inked(rows.map((y) => y * width + width - 1))).toBe(true);
  });

  it('is as large as its font: an H is 0.73 of the size in DejaVu', async () => {
    for (const size of [10, 40, 100, 400, 1000]) {
      const { height } = await inFont(`Arial_${size}`, 'H');
      expect(Math.abs(height - size * 0.729)).toBeLessThanOrEqual(1.5);
    }
  });

  it('grows with its text, and with letter spacing', async () => {
    const { width } = await inFont('Arial_40', 'Hello');
    expect((await inFont('Arial_40', 'Hello World')).width).toBeGreaterThan(width * 1.8);
    // Four gaps between five letters; the fifth, at the end, has no ink.
    expect(
      Math.abs((await inFont('Arial_40_letter_spacing_10', 'Hello')).width - (width + 40)),
    ).toBeLessThanOrEqual(1);
    expect((await inFont('Arial_40_letter_spacing_-5', 'Hello')).width).toBeLessThan(width);
  });

  it('breaks lines, with the requested spacing', async () => {
    const one = await render('text:Arial_40:H');
    const two = await render('text:Arial_40:H%0AH');
    expect(two.height).toBeGreaterThan(one.height * 2);
    const spaced = await render('text:Arial_40_line_spacing_25:H%0AH');
    expect(Math.abs(spaced.height - (two.height + 25))).toBeLessThanOrEqual(1);
    expect((await render('text:Arial_40_line_spacing_-10:H%0AH')).height).toBeLessThan(two.height);
  });

  it('wraps at the width with crop fit, and only then', async () => {
    const text = 'The quick brown fox jumps over the lazy dog';
    const line = await inFont('Arial_20', text);
    const wrapped = await inFont('Arial_20', text, { width: 150, crop: 'fit' });
    expect(wrapped.width).toBeLessThanOrEqual(151);
    expect(wrapped.height).toBeGreaterThan(line.height * 2);
    const narrower = await inFont('Arial_20', text, { width: 80, crop: 'fit' });
    expect(narrower.height).toBeGreaterThan(wrapped.height);
    expect(await inFont('Arial_20', text, { width: 150, crop: 'scale' })).toEqual(line);
  });

  it.each(['bold', 'italic', 'bold_italic', 'light', 'underline', 'strikethrough'])(
    '%s looks different',
    async (look) => {
      const [regular, other] = [await inFont('Arial_40', 'Hello'), await inFont(`Arial_40_${look}`, 'Hello')];
      expect(other.pixels.equals(regular.pixels)).toBe(false);
      if (look.startsWith('bold')) expect(inkOf(other)).toBeGreaterThan(inkOf(regular) * 1.3);
      if (look === 'light') expect(inkOf(other)).toBeLessThan(inkOf(regular) * 0.8);
    },
  );

  it('maps families to the package: serifs, one width, and all others alike', async () => {
    const of = (family: string): Promise<Frame> => render(`text:${family}_40:ilWM`);
    const sans = await of('Arial');
    for (const family of ['Helvetica', 'Roboto', 'Open%20Sans', 'PT%20Sans-Serif']) {
      expect(await of(family), family).toEqual(sans);
    }
    const serif = await of('Times');
    for (const family of ['Georgia', 'Times%20New%20Roman', 'PT%20Serif', 'EB%20Garamond']) {
      expect(await of(family), family).toEqual(serif);
    }
    expect(serif.pixels.equals(sans.pixels)).toBe(false);
    const widths = await Promise.all(
      ['iiii', 'HHHH'].map(async (text) => (await inFont('Courier_40', text)).width),
    );
    expect(Math.abs((widths[0] ?? 0) - (widths[1] ?? 0))).toBeLessThan(12);
    expect(await of('Roboto%20Mono')).toEqual(await of('Courier%20New'));
  });

  it('aligns lines', async () => {
    const firstInked = async (look: string): Promise<number> => {
      const { width, pixels } = await render(`text:Arial_30${look}:i%0Awider%20line`);
      return (
        [...Array(width).keys()].find((x) =>
          [...Array(12).keys()].some((y) => (pixels[(y * width + x) * 4 + 3] ?? 0) > 128),
        ) ?? -1
      );
    };
    const [left, center, right] = [
      await firstInked('_left'),
      await firstInked('_center'),
      await firstInked('_right'),
    ];
    expect(left).toBeLessThan(8);
    expect(center).toBeGreaterThan(left + 30);
    expect(right).toBeGreaterThan(center + 30);
    expect([await firstInked(''), await firstInked('_start'), await firstInked('_end')]).toEqual([
      left,
      left,
      right,
    ]);
    const justified = await inFont('Arial_14_justify', 'The quick brown fox jumps', {
      width: 120,
      crop: 'fit',
    });
    expect(Math.abs(justified.width - 120)).toBeLessThanOrEqual(2);
  });

  it('renders the same each time', async () => {
    expect(await inFont('Georgia_33_bold', 'Same')).toEqual(await inFont('Georgia_33_bold', 'Same'));
  });
});

describe("a text's colors", () => {
  it.each([
    ['red', [255, 0, 0, 255]],
    ['rgb:12ab34', [18, 171, 52, 255]],
    [undefined, [0, 0, 0, 255]],
  ])('%s', async (color, expected) => {
    expect(hasPixel(await inFont('Arial_60_bold', 'I', color === undefined ? {} : { color }), expected)).toBe(
      true,
    );
  });

  it('may be half transparent', async () => {
    const frame = await inFont('Arial_60_bold', 'I', { color: 'rgb:ff000080' });
    expect(hasPixel(frame, [255, 0, 0, 128])).toBe(true);
    expect(hasPixel(frame, [255, 0, 0, 255])).toBe(false);
  });

  it('have a background behind them', async () => {
    const frame = await inFont('Arial_60_bold', 'A', { color: 'white', background: 'blue' });
    expect(hasPixel(frame, [0, 0, 255, 255])).toBe(true);
    expect(hasPixel(frame, [255, 255, 255, 255])).toBe(true);
    expect(inkOf(frame)).toBe(frame.width * frame.height);
  });

  it('have padding with text_no_trim', async () => {
    const tight = await inFont('Arial_40', 'A');
    const loose = await inFont('Arial_40', 'A', { flags: new Set(['text_no_trim']) });
    expect([loose.width, loose.height]).toEqual([tight.width + 16, tight.height + 16]);
  });

  it('have a stroke of the border, or of the default one', async () => {
    const bare = await inFont('Arial_60', 'A', { color: 'white' });
    const thin = await inFont('Arial_60_stroke', 'A', { color: 'white' });
    const thick = await inFont('Arial_60_stroke', 'A', { color: 'white', border: '5px_solid_rgb:ff0000' });
    expect([thin.width, thick.width]).toEqual([bare.width + 4, bare.width + 10]);
    expect(hasPixel(thin, [0, 0, 0, 255])).toBe(true);
    expect(hasPixel(thick, [255, 0, 0, 255])).toBe(true);
    expect(hasPixel(thick, [255, 255, 255, 255])).toBe(true);
    await expect(inFont('Arial_60_stroke', 'A', { border: 'thick' })).rejects.toMatchObject({ status: 400 });
  });

  it('are refused if they are invalid', async () => {
    await expect(inFont('Arial_40', 'A', { color: 'reddish' })).rejects.toMatchObject({ status: 400 });
  });
});

describe('the text itself', () => {
  it('is decoded twice, as the SDK encodes it', async () => {
    const comma = await render('text:Arial_40:a%252Cb');
    expect(comma).toEqual(await render('text:Arial_40:a%2Cb'));
    expect(comma).not.toEqual(await render('text:Arial_40:ab'));
    expect(await render('text:Arial_40:a%252Fb')).toEqual(await inFont('Arial_40', 'a/b'));
    expect(await render('text:Arial_40:50%25%252C%20now')).toEqual(
      await render('text:Arial_40:50%25%2C%20now'),
    );
    expect((await render('text:Arial_40:100%25')).width).toBeGreaterThan(
      (await render('text:Arial_40:100')).width,
    );
  });

  // Were it markup, it would be smaller, red or not there.
  it.each([
    '<span size="1">x</span>',
    '<b>bold</b>',
    '<span foreground="#ff0000" font="Serif 999">x</span>',
    '</span><span size="999999">x',
    '&lt;&amp;&#65;',
    '<',
    '<!-- x -->',
    '<span',
    `' " onload="`,
  ])('is data, never markup: %s', async (text) => {
    const frame = await inFont('Courier_20', text);
    // One width per character: all of them are there.
    const advance =
      (await inFont('Courier_20', 'H'.repeat(21))).width - (await inFont('Courier_20', 'H')).width;
    const inked = text.trim().length;
    expect(Math.abs(frame.width - (advance / 20) * inked)).toBeLessThan(12);
    expect(frame.height).toBeLessThan(30);
    for (let at = 0; at < frame.pixels.length; at += 4) expect(frame.pixels[at]).toBe(0);
  });

  it.each(['Zoë', 'Ωμέγα', 'Жизнь', 'שלום', 'سلام', '写真', '🙂', 'e\u0301', '\u202eabc'])(
    'may be %s',
    async (text) => {
      expect(inkOf(await inFont('Arial_40', text))).toBeGreaterThan(50);
    },
  );

  it('of different letters looks different', async () => {
    const frames = await Promise.all(['Ж', 'Ω', 'ש', 'é'].map((text) => inFont('Arial_40', text)));
    expect(new Set(frames.map(({ pixels }) => pixels.toString('base64'))).size).toBe(4);
  });

  it.each(['   ', '\n', '\u200b', '\u00a0'])('of nothing to be seen is transparent: %j', async (text) => {
    expect(inkOf(await inFont('Arial_40', text))).toBe(0);
    const box = await inFont('Arial_40', text, { background: 'red' });
    expect(hasPixel(box, [255, 0, 0, 255])).toBe(true);
  });

  it.each([
    'text:Arial_40:',
    'text:Arial_40',
    'text::x',
    'Arial_40:x',
    'text:Arial_40:a:b',
    'text:Arial_40:%zz',
    'text:Arial_40:%ff',
    'text:Arial_40:%00',
    'text:Arial_40:%2500',
    'text:Arial_40:%0d',
    `text:Arial_40:${'a'.repeat(1001)}`,
  ])('is refused: %s', async (layer) => {
    await expect(render(layer)).rejects.toMatchObject({ name: 'RenderError', status: 400 });
  });

  it.each([
    ['a thousand wide letters of size 1000', 'Arial_1000', 'W'.repeat(1000), {}],
    ['a thousand lines', 'Arial_1000', `${'\n'.repeat(998)}a`, {}],
    ['a column of a thousand letters', 'Arial_1000', 'W'.repeat(1000), { width: 1, crop: 'fit' }],
    ['letters far apart', 'Arial_1_letter_spacing_1000', 'W'.repeat(1000), {}],
    ['lines far apart', 'Arial_100_line_spacing_1000', 'a\n'.repeat(400), {}],
  ])('is refused before it takes the memory: %s', async (_, font, text, options) => {
    const before = process.memoryUsage().rss;
    await expect(inFont(font, text, options)).rejects.toMatchObject({ name: 'RenderError', status: 400 });
    expect(process.memoryUsage().rss - before).toBeLessThan(300e6);
  });
});

describe('a font as the SDK writes it', () => {
  it.each([
    [{}, {}],
    [{ font_weight: 'bold' }, { font_weight: 'bold' }],
    [
      {
        font_weight: 'bold',
        font_style: 'italic',
        text_decoration: 'underline',
        text_align: 'center',
        stroke: 'stroke',
      },
      {
        font_weight: 'bold',
        font_style: 'italic',
        text_decoration: 'underline',
        text_align: 'center',
        stroke: 'stroke',
      },
    ],
    [
      { letter_spacing: -3, line_spacing: 2.5 },
      { letter_spacing: -3, line_spacing: 2.5 },
    ],
    [
      { font_hinting: 'full', font_antialiasing: 'best' },
      { font_hinting: 'full', font_antialiasing: 'best' },
    ],
    [{ font_style: 'normal', text_align: 'justify' }, { text_align: 'justify' }],
  ])('%j is read back', (looks, read) => {
    const written = writeTextLayer({ text: 'x', font_family: 'Open%20Sans', font_size: 40, ...looks });
    expect(parseFont(/^text:(.*):x$/.exec(written ?? '')?.[1] ?? '')).toEqual({
      font_family: 'Open Sans',
      font_size: 40,
      ...read,
    });
  });

  it.each(['Noto_Sans', 'Noto_Sans.JP', 'a.b_c'])('the font %s is read back with its looks', (family) => {
    const written = writeTextLayer({ text: 'x', font_family: family, font_size: 40, font_weight: 'bold' });
    expect(parseFont(/^text:(.*):x$/.exec(written ?? '')?.[1] ?? '')).toEqual({
      font_family: family,
      font_size: 40,
      font_weight: 'bold',
    });
  });

  it.each([
    'Arial',
    'Arial_',
    '_40',
    'Arial_0',
    'Arial_1001',
    'Arial_40_',
    'Arial_40_heavy',
    'Arial_40_bold_bold',
    'Arial_40__bold',
    'Arial_40_letter_spacing_',
    'Arial_40_letter_spacing_x',
    'Arial_40_letter_spacing_2000',
    'sample_text_style',
  ])('%s is invalid', (name) => {
    expect(parseFont(name)).toBeUndefined();
  });
});

describe('named text styles', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'text-styles-'));
    await writeFile(
      join(folder, 'headline.json'),
      JSON.stringify({ font_family: 'Open Sans', font_size: 60, font_weight: 'bold', font_color: '#ff0000' }),
    );
    await writeFile(join(folder, 'Arial_40.json'), JSON.stringify({ font_family: 'Times', font_size: 12 }));
    await writeFile(join(folder, 'notes.txt'), 'no style');
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('are the files of a folder, and look as they say', async () => {
    const styles = await loadTextStyles(folder);
    expect([...styles.keys()]).toEqual(['Arial_40', 'headline']);
    const frame = await render('text:headline:I', { styles });
    expect(hasPixel(frame, [255, 0, 0, 255])).toBe(true);
    expect(hasPixel(await render('text:headline:I', { styles, color: 'blue' }), [0, 0, 255, 255])).toBe(true);
    expect(frame.height).toBe((await render('text:Arial_60_bold:I')).height);
    // A file comes before a font of the same spelling.
    expect(await render('text:Arial_40:x', { styles })).toEqual(await render('text:Times_12:x'));
  });

  it('are empty if the folder does not exist', async () => {
    expect((await loadTextStyles(join(folder, 'absent'))).size).toBe(0);
  });

  it('that are not there are refused by name', async () => {
    for (const name of ['sample_text_style', 'Arial_40_heavy', 'constructor']) {
      await expect(render(`text:${name}:x`, { styles: new Map() })).rejects.toEqual(
        new RenderError(400, `Text style not found: ${name}`),
      );
    }
  });

  it.each([
    '{',
    '[]',
    '"x"',
    '{}',
    '{"font_family":"Arial"}',
    '{"font_family":"Arial","font_size":0}',
    '{"font_family":"Arial","font_size":40,"colour":"red"}',
    '{"font_family":"Arial","font_size":40,"font_color":"reddish"}',
    '{"font_family":"../secret.ttf","font_size":40}',
    '{"font_family":"Arial","font_size":40,"text_style":"other"}',
  ])('with a mistake stop the start: %s', (json) => {
    expect(() => readTextStyle('x.json', json)).toThrow(TextStyleError);
  });
});

describe('an edition of the renderer', () => {
  const edition = (styles: Readonly<Record<string, TextStyle>>): string =>
    editionOf({ textStyles: new Map(Object.entries(styles)), fonts: [] });
  const one: TextStyle = { font_family: 'Arial', font_size: 20 };
  const other: TextStyle = { font_family: 'Courier', font_size: 20 };

  it('is another one for other named styles, whatever their order', () => {
    expect(edition({ a: one, b: other })).toBe(edition({ b: other, a: one }));
    const editions = [{}, { a: one }, { a: other }, { b: one }].map(edition);
    expect(new Set(editions).size).toBe(4);
  });

  it('is another one for other fonts of the operator', () => {
    const of = (...fonts: string[]): string =>
      editionOf({ textStyles: new Map(), fonts: fonts.map((sha256) => ({ path: 'x.ttf', sha256 })) });
    expect(new Set([of(), of('1'), of('2'), of('1', '2')]).size).toBe(4);
  });
});

/** The header's value for a text. */
const approximationsOf = async (
  font: string,
  text: string,
  fonts: string[] = [],
): Promise<string | undefined> => {
  const notes = new Approximations();
  await inFont(font, text, { notes, fonts });
  return notes.header;
};

describe('a character', () => {
  const sans = 'DejaVu%20Sans_40';
  const sizeOf = ({ width, height }: Frame): readonly number[] => [width, height];
  /** The size of what takes the place of a glyph: the code point is not assigned. */
  const sizeOfBox = async (): Promise<readonly number[]> => sizeOf(await inFont(sans, '\u0378'));

  it.each([
    ['Latin', 'Zoë Ščęł'],
    ['Greek and Cyrillic', 'Ωμέγα Привет'],
    ['Hebrew and Arabic', 'שלום سلام'],
    ['Thai', 'สวัสดี'],
    ['Devanagari', 'नमस्ते'],
    ['emoji, with skin tones, joiners and flags', '😀👍🏽👨‍👩‍👧❤️🇫🇷'],
  ])('of the scripts of the fonts is drawn: %s', async (_, text) => {
    expect(await approximationsOf(sans, text)).toBeUndefined();
    for (const { segment } of new Intl.Segmenter().segment(text)) {
      expect(sizeOf(await inFont(sans, segment)), segment).not.toStrictEqual(await sizeOfBox());
    }
  });

  it.each([
    ['中文', 'text: no glyph for U+4E2D U+6587'],
    ['Kim 김 김', 'text: no glyph for U+AE40'],
    ['一二三四五六七八', 'text: no glyph for U+4E00 U+4E8C U+4E09 U+56DB U+4E94 U+516D and 2 more'],
    ['𠀀', 'text: no glyph for U+20000'],
  ])('without a glyph is in the header: %s', async (text, header) => {
    expect(await approximationsOf(sans, text)).toBe(header);
  });

  it('is drawn from a font of the operator', async () => {
    const text = 'ᱚᱞ';
    expect(await approximationsOf(sans, text)).toBe('text: no glyph for U+1C5A U+1C5E');
    expect(await approximationsOf(sans, text, [OL_CHIKI])).toBeUndefined();
    expect(sizeOf(await inFont(sans, 'ᱚ', { fonts: [OL_CHIKI] }))).not.toStrictEqual(await sizeOfBox());
  });

  it('is drawn in another font than its own, which the header says', async () => {
    expect(await approximationsOf('Arial_40', 'x')).toBe('text: DejaVu Sans for Arial');
    expect(await approximationsOf('Times%20New%20Roman_40_bold', 'x')).toBe(
      'text: DejaVu Serif Bold for Times New Roman',
    );
  });
});

describe('fonts of the operator', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fonts-'));
    await copyFile(OL_CHIKI, join(folder, 'b.ttf'));
    await copyFile(OL_CHIKI, join(folder, 'a.OTF'));
    await writeFile(join(folder, 'README'), 'no font');
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  it('are the files of a folder, by name; there may be none', async () => {
    const files = await loadFontFiles(folder);
    expect(files.map(({ path }) => basename(path))).toStrictEqual(['a.OTF', 'b.ttf']);
    expect(files[0]?.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(await loadFontFiles(join(folder, 'absent'))).toStrictEqual([]);
  });

  it('stop the start if one is no font', async () => {
    await writeFile(join(folder, 'c.ttf'), 'no font');
    await expect(loadFontFiles(folder)).rejects.toThrow(FontFileError);
  });
});
