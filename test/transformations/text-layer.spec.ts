import { v2 as cloudinary } from 'cloudinary';
import { describe, expect, it } from 'vitest';
import type { DeliveryType } from '../../src/domain/image.js';
import { readFont, writeFont } from '../../src/transformations/font-file.js';
import { InvalidTransformationError } from '../../src/transformations/transformation.errors.js';
import { TransformationMapper } from '../../src/transformations/transformation.mapper.js';
import {
  allowedTextLayer,
  LONGEST_TEXT,
  TEXT_LAYER_ALLOWED,
  TEXT_LAYER_MEMBERS,
  writeTextLayer,
} from '../../src/transformations/text-layer.js';

const FONT = { font_family: 'Arial', font_size: 40 };

/** The SDK's spelling of a layer. */
const bySdk = (overlay: unknown): string =>
  new URL(
    cloudinary.url('i', { cloud_name: 'c', transformation: [{ overlay }], urlAnalytics: false }),
  ).pathname
    .split('/')
    .slice(4, -1)
    .join('/')
    .replace(/^l_/, '');

describe('a text layer, as an object', () => {
  it.each([
    [{ text: 'Hi', ...FONT }, 'text:Arial_40:Hi'],
    [{ text: 'Hello, a/b', ...FONT }, 'text:Arial_40:Hello%252C%20a%252Fb'],
    [{ text: 'Zoë (写真) 🙂', ...FONT }, 'text:Arial_40:Zo%C3%AB%20%28%E5%86%99%E7%9C%9F%29%20%F0%9F%99%82'],
    [{ text: 'two\nlines', ...FONT }, 'text:Arial_40:two%0Alines'],
    [{ text: '100% of $5', ...FONT }, 'text:Arial_40:100%25%20of%20%245'],
    [{ text: 'Hi', font_family: 'Open%20Sans', font_size: '12' }, 'text:Open%20Sans_12:Hi'],
    [{ text: 'Hi', font_family: 'Open Sans', font_size: 12 }, 'text:Open%20Sans_12:Hi'],
    [{ text: 'Hi', font_family: 'Noto_Sans.JP', font_size: 12 }, 'text:Noto_Sans.JP_12:Hi'],
    [{ text: 'Hi', text_style: 'Open Sans_12_bold' }, 'text:Open%20Sans_12_bold:Hi'],
    [{ text: 'Hi', ...FONT, stroke: 'stroke', font_weight: 'bold' }, 'text:Arial_40_bold_stroke:Hi'],
    [
      { text: 'Hi', ...FONT, font_weight: 'normal', font_style: 'normal', stroke: 'none' },
      'text:Arial_40:Hi',
    ],
    [
      { text: 'Hi', ...FONT, text_align: 'center', text_decoration: 'underline' },
      'text:Arial_40_underline_center:Hi',
    ],
    [
      { line_spacing: 2.5, letter_spacing: -3, text: 'Hi', ...FONT },
      'text:Arial_40_line_spacing_2.5_letter_spacing_-3:Hi',
    ],
    [
      { text: 'Hi', ...FONT, font_hinting: 'full', font_antialiasing: 'best' },
      'text:Arial_40_hinting_full_antialias_best:Hi',
    ],
    [{ text: 'Hi', text_style: 'Arial_40_bold' }, 'text:Arial_40_bold:Hi'],
    [{ text: 'Hi', public_id: 'sample_text_style', resource_type: 'text' }, 'text:sample_text_style:Hi'],
    [{ text: 'a'.repeat(LONGEST_TEXT), ...FONT }, `text:Arial_40:${'a'.repeat(LONGEST_TEXT)}`],
  ])('is written as the SDK writes it: %j', (layer, written) => {
    expect(writeTextLayer(layer)).toBe(written);
    expect(bySdk(layer)).toBe(written);
  });

  it.each(
    [...TEXT_LAYER_MEMBERS.keys(), 'type', 'url']
      .filter((name) => !(name in FONT))
      .flatMap((name) => [null, '', [], [''], [null]].map((value) => ({ name, value }))),
  )('treats $value of `$name` as absent', ({ name, value }) => {
    expect(writeTextLayer({ text: 'Hi', [name]: value, ...FONT })).toBe('text:Arial_40:Hi');
  });

  it('treats the members of a font as absent beside a style by name', () => {
    const layer = { text: 'Hi', text_style: 'Arial_40_bold', font_family: null, font_size: null };
    expect(writeTextLayer(layer)).toBe('text:Arial_40_bold:Hi');
    expect(bySdk(layer)).toBe('text:Arial_40_bold:Hi');
  });

  it.each([
    ['no text', { ...FONT }],
    ['empty text', { text: '', ...FONT }],
    ['a text of null', { text: null, ...FONT }],
    ['a list for a text', { text: [], ...FONT }],
    ['no text but a style', { text: null, public_id: 'sample_text_style' }],
    ['a font of null', { text: 'Hi', font_family: null, font_size: 40 }],
    ['a size of null', { text: 'Hi', font_family: 'Arial', font_size: null }],
    ['an empty object for a look', { text: 'Hi', ...FONT, font_weight: {} }],
    ['a blank look', { text: 'Hi', ...FONT, font_weight: ' ' }],
    ['text of another type', { text: 5, ...FONT }],
    ['too long a text', { text: 'a'.repeat(LONGEST_TEXT + 1), ...FONT }],
    ['a variable', { text: 'Hi $(name)', ...FONT }],
    ['a variable that a second decoding reveals', { text: 'Hi %24%28name%29', ...FONT }],
    ['one beside a lone percent sign', { text: '$%28name%29 100%', ...FONT }],
    ['one beside bytes that are not UTF-8', { text: '%FF%24%28name%29', ...FONT }],
    ['a control character', { text: 'a\u0000b', ...FONT }],
    ['a carriage return that a second decoding reveals', { text: 'a%0D%0Ab', ...FONT }],
    ['a tab', { text: 'a\tb', ...FONT }],
    ['a control character that a second decoding reveals', { text: 'a%00b', ...FONT }],
    ['a lone surrogate', { text: 'a\ud800', ...FONT }],
    ['no style', { text: 'Hi' }],
    ['a font without a size, which the SDK drops', { text: 'Hi', font_family: 'Arial' }],
    ['a size without a font', { text: 'Hi', font_size: 40 }],
    ['two ways of styling, of which the SDK drops one', { text: 'Hi', text_style: 'a', ...FONT }],
    ['a style by name with looks', { text: 'Hi', public_id: 'a', font_weight: 'bold' }],
    ['a text asset by name', { public_id: 'some_text', resource_type: 'text' }],
    ['a custom font, which is an asset', { text: 'Hi', font_family: 'secret.ttf', font_size: 40 }],
    ['a custom font of another case', { text: 'Hi', font_family: 'AlexBrush-Regular.OTF', font_size: 40 }],
    ['a custom font followed by more text', { text: 'Hi', font_family: 'secret.woff2_x', font_size: 40 }],
    ['a style with an extension', { text: 'Hi', text_style: 'evil.docx' }],
    ['a custom font as a style', { text: 'Hi', text_style: 'secret.ttf_40_bold' }],
    ['a custom font as a style by its public id', { text: 'Hi', public_id: 'secret.ttf' }],
    ['a font with a segment that is read as its size', { text: 'Hi', font_family: 'Exo_2', font_size: 40 }],
    ['a font that ends the parameter', { text: 'Hi', font_family: 'Arial,l_x', font_size: 40 }],
    ['a size of 0', { text: 'Hi', font_family: 'Arial', font_size: 0 }],
    ['an unknown look', { text: 'Hi', ...FONT, font_weight: 'heavy' }],
    ['an unknown member', { text: 'Hi', ...FONT, url: 'https://example.org' }],
    ['another type', { text: 'Hi', ...FONT, type: 'fetch' }],
    ['subtitles', { text: 'Hi', ...FONT, resource_type: 'subtitles' }],
    ['an inherited member', JSON.parse('{"text":"Hi","font_family":"Arial","font_size":40,"__proto__":{}}')],
    ['an array', ['text']],
  ])('is refused with %s', (_, layer) => {
    expect(writeTextLayer(layer)).toBeUndefined();
  });
});

describe('a text layer in a font file', () => {
  const ID = '3D616B4E-a597-4b23-aa3d-d7de678f0ba6';
  const write = (layer: object, publicId = 'Brand.ttf'): string => {
    const row = { deliveryType: 'authenticated', publicId } as const;
    return new TransformationMapper().map([{ overlay: layer }]).path(new Map([[ID.toLowerCase(), row]]));
  };

  it.each<[publicId: string, font: string]>([
    ['Brand.ttf', 'Brand.ttf'],
    ['brand_serif-2.OTF', 'brand_serif-2.OTF'],
    ['fonts/a/Brand.woff2', 'fonts:a:Brand.woff2'],
    ['fonts/Größe 2, bold.ttf', 'fonts:Gr%C3%B6%C3%9Fe%202%252C%20bold.ttf'],
  ])('names %s as %s, and the SDK writes the same', (publicId, font) => {
    for (const looks of [{}, { font_weight: 'bold', letter_spacing: -2, stroke: 'stroke' }]) {
      const layer = { text: 'Hi, 5/6 (you)', font_family: ID, font_size: 40, ...looks };
      const bySdkToo = bySdk({ ...layer, font_family: font });
      expect(write(layer, publicId)).toBe(`l_${bySdkToo}/`);
      const written = writeFont({ deliveryType: 'authenticated', publicId }) ?? '';
      expect(readFont(written)).toStrictEqual({ deliveryType: 'authenticated', publicId });
    }
  });

  it.each<[publicId: string, deliveryType: DeliveryType]>([
    ['Brand', 'authenticated'],
    ['Brand.ttf', 'upload'],
    ['Brand.ttf', 'private'],
    ['Brand.png', 'authenticated'],
    ['Brand.ttf.png', 'authenticated'],
    ['Brand.woff', 'authenticated'],
    ['a:b.ttf', 'authenticated'],
    ['a//b.ttf', 'authenticated'],
    ['a%2Fb.ttf', 'authenticated'],
    ['$a.ttf', 'authenticated'],
    ['a_40_b.ttf', 'authenticated'],
    ['a\nb.ttf', 'authenticated'],
  ])('is not written with the file %j of type %s', (publicId, deliveryType) => {
    expect(writeFont({ publicId, deliveryType })).toBeUndefined();
  });

  it.each(['', 'a%2fb.ttf', 'a:.ttf:', 'a,b.ttf', 'a%', 'Brand.ttf%00', '../a.png'])(
    'is not read from %j',
    (written) => {
      expect(readFont(written)).toBeUndefined();
    },
  );

  it.each([
    { text: 'Hi', font_family: ID },
    { text: 'Hi', font_family: ID, font_size: 0 },
    { text: '', font_family: ID, font_size: 40 },
    { text: 'Hi', font_family: ID, font_size: 40, text_style: 'a' },
    { text: 'Hi', font_family: `${ID} `, font_size: 40, url: 'x' },
  ])('is refused as %j', (layer) => {
    expect(() => write(layer)).toThrow(InvalidTransformationError);
  });
});

describe('a refused text layer', () => {
  const COLON = { text: 'Hi', font_family: 'Arial:x', font_size: 40 };
  const FAMILY =
    'a text layer whose `font_family` is a font name of letters, digits, `-`, `.`, `_` and spaces, ' +
    'without a segment of only digits after a `_`; or the id (a UUID) of an overlay that is a font file';
  const NO_FILES =
    '; a font file (`.ttf`, `.otf`, `.woff2`) is registered as an overlay, whose id is the `font_family`';
  const control = (name: string): string =>
    `a text without the character ${name}; line breaks are the only control characters allowed`;
  it.each<[layer: unknown, allowed: string | undefined]>([
    [COLON, FAMILY],
    [{ ...COLON, font_family: 'AlexBrush-Regular.ttf' }, FAMILY + NO_FILES],
    ['text:AlexBrush-Regular.ttf_40:Hi', TEXT_LAYER_ALLOWED + NO_FILES],
    [{ ...FONT, text: 'a\u0007b' }, `a text layer whose \`text\` is ${control('U+0007')}`],
    [{ ...FONT, text: 'a\tb' }, `a text layer whose \`text\` is ${control('U+0009')}`],
    [{ ...FONT, text: 'a\ud800' }, `a text layer whose \`text\` is ${control('U+D800')}`],
    [{ ...FONT, text: 'a%07b' }, `a text layer whose \`text\` is ${control('U+0007')}`],
    ['text:Arial_40:a%07b', control('U+0007')],
    [
      { ...FONT, text: 19.9 },
      'a text layer whose `text` is a string, exactly as it should be shown: "19.90"',
    ],
    [{ ...FONT, text: true }, 'a text layer whose `text` is a string'],
    [{ ...FONT, text: '' }, 'a text layer whose `text` is a text of 1 to 1000 characters'],
    [
      { ...FONT, text: '$(w)' },
      'a text layer whose `text` is a text without `$(`, which would read a variable',
    ],
    [
      { ...FONT, text: 'Hi', font_size: 0 },
      'a text layer whose `font_size` is a whole number from 1 to 1000',
    ],
    [
      { ...FONT, text: 'Hi', font_weight: null, font_size: 0 },
      'a text layer whose `font_size` is a whole number from 1 to 1000',
    ],
    [{ ...FONT, text: 'Hi', url: 'x' }, undefined],
    [{ text: 'Hi', font_family: 'Arial' }, undefined],
    ['text:Arial_40', undefined],
  ])('names the invalid member of %j, if there is one: %s', (layer, allowed) => {
    expect(writeTextLayer(layer)).toBeUndefined();
    expect(allowedTextLayer(layer)).toBe(allowed);
  });
});

describe('line breaks of a form', () => {
  it.each([
    [{ text: 'a\r\nb', ...FONT }, 'text:Arial_40:a%0Ab'],
    [{ text: 'a\rb', ...FONT }, 'text:Arial_40:a%0Ab'],
    [{ text: 'a\r\r\n\nb', ...FONT }, 'text:Arial_40:a%0A%0A%0Ab'],
    [{ text: 'a\r\n'.repeat(LONGEST_TEXT / 2), ...FONT }, `text:Arial_40:${'a%0A'.repeat(500)}`],
    ['text:Arial_40:a%0d%0Ab', 'text:Arial_40:a%0Ab'],
    ['text:Arial_40:a%0Db', 'text:Arial_40:a%0Ab'],
  ])('become line feeds: %j', (layer, written) => {
    expect(writeTextLayer(layer)).toBe(written);
    expect(writeTextLayer(written)).toBe(written);
  });
});

describe('a text layer, as a string', () => {
  it.each([
    'text:sample_text_style:Stylish%20text',
    'text:Arial_40_bold_letter_spacing_1.5:Hi',
    'text:Open%20Sans_40:Caf%c3%a9%0Atwo',
    'text:Arial_40:a%252Cb%252Fc',
    'text:Arial_40:(50%25)!',
    'text:Noto_Sans.JP_40_bold_letter_spacing_1.5:Hi',
  ])('is kept unchanged: %s', (layer) => {
    expect(writeTextLayer(layer)).toBe(layer);
    expect(bySdk(layer)).toBe(layer);
  });

  it.each([
    ...[
      'text:',
      'text::Hi',
      'text:Arial_40',
      'text:Arial_40:',
      'text:Arial_40:a:b',
      'Text:Arial_40:Hi',
      ' text:Arial_40:Hi',
    ],
    ...[
      'text:Arial_40:a b',
      'text:Arial_40:a,b',
      'text:Arial_40:a/b',
      'text:Arial_40:a%2Cb',
      'text:Arial_40:a%2fb',
    ],
    ...[
      'text:Arial_40:$(name)',
      'text:Arial_40:%24(name)',
      'text:Arial_40:%2524%2528name)',
      'text:Arial_40:50%',
    ],
    ...['text:Arial_40:%zz', 'text:Arial_40:%ff', 'text:Arial_40:%00', 'text:Arial_40:%2500'],
    ...[
      'text:Arial_40:é',
      'text:Arial_40:a?b',
      'text:Arial_40:a#b',
      'text:Arial_40:Hi\n',
      'text:secret.ttf_40:Hi',
      'text:evil.docx:Hi',
      'text:evil.docx_x:Hi',
    ],
    ...['text:Arial_40,l_x:Hi', 'text:Arial_40/l_x:Hi', 'text:$style:Hi', 'text:a%2Cb:Hi', 'text:_40:Hi'],
    `text:Arial_40:${'a'.repeat(LONGEST_TEXT + 1)}`,
  ])('is refused: %j', (layer) => {
    expect(writeTextLayer(layer)).toBeUndefined();
  });
});
