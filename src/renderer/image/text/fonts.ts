import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Font } from 'fontkit';
import sharp from 'sharp';
import type { TextStyle } from './text-style.js';

const { resolve } = createRequire(import.meta.url);

/** The folder of a package's font files: the same ones on every machine. */
const FOLDER = join(dirname(resolve('dejavu-fonts-ttf/package.json')), 'ttf');

/** Fonts for characters that DejaVu lacks. */
const FURTHER_FONTS = [
  [resolve('@expo-google-fonts/noto-sans-thai/package.json'), 'NotoSansThai'],
  [resolve('@expo-google-fonts/noto-sans-devanagari/package.json'), 'NotoSansDevanagari'],
  [resolve('@expo-google-fonts/noto-emoji/package.json'), 'NotoEmoji'],
].map(([manifest = '', name = '']) => join(dirname(manifest), '400Regular', `${name}_400Regular.ttf`));

/** A face: its file and its name in Pango. */
export interface Face {
  readonly file: string;
  readonly name: string;
}

const face = (file: string, name: string): Face => ({ file: join(FOLDER, `${file}.ttf`), name });

type Faces = readonly [regular: Face, italic: Face, bold: Face, boldItalic: Face];

const SANS: Faces = [
  face('DejaVuSans', 'DejaVu Sans'),
  face('DejaVuSans-Oblique', 'DejaVu Sans Oblique'),
  face('DejaVuSans-Bold', 'DejaVu Sans Bold'),
  face('DejaVuSans-BoldOblique', 'DejaVu Sans Bold Oblique'),
];
const SERIF: Faces = [
  face('DejaVuSerif', 'DejaVu Serif'),
  face('DejaVuSerif-Italic', 'DejaVu Serif Italic'),
  face('DejaVuSerif-Bold', 'DejaVu Serif Bold'),
  face('DejaVuSerif-BoldItalic', 'DejaVu Serif Bold Italic'),
];
const MONO: Faces = [
  face('DejaVuSansMono', 'DejaVu Sans Mono'),
  face('DejaVuSansMono-Oblique', 'DejaVu Sans Mono Oblique'),
  face('DejaVuSansMono-Bold', 'DejaVu Sans Mono Bold'),
  face('DejaVuSansMono-BoldOblique', 'DejaVu Sans Mono Bold Oblique'),
];
/** The only thin face; the package has it upright and without serifs only. */
const THIN = face('DejaVuSans-ExtraLight', 'DejaVu Sans ExtraLight');

const MONO_NAMES = /mono|courier|consol|code|menlo|monaco|typewriter|inconsolata/i;
const SERIF_NAMES =
  /(?<!sans[ -]?)serif|times|georgia|garamond|baskerville|bodoni|palatino|cambria|merriweather|playfair|lora|slab|roman|caslon|didot|crimson|cormorant|bitter|spectral|century|bookman|antiqua|minion|libre ?caslon|vollkorn|tinos/i;

/** The package's face that is nearest to a style. */
export function faceOf(style: TextStyle): Face {
  const { font_family: family, font_weight: weight, font_style: slant } = style;
  const [regular, italic, bold, boldItalic] = MONO_NAMES.test(family)
    ? MONO
    : SERIF_NAMES.test(family)
      ? SERIF
      : SANS;
  const isItalic = slant === 'italic';
  if (weight === 'bold') return isItalic ? boldItalic : bold;
  const isThin = weight === 'thin' || weight === 'light';
  return isItalic ? italic : isThin && regular === SANS[0] ? THIN : regular;
}

const registered = new Set<string>();
let registration = Promise.resolve();

/**
 * Registers all fonts with libvips, which keeps them for the process. Once and in this order: a character that one face
 * lacks is taken from another, and the choice must not depend on earlier renders.
 * @param files The operator's fonts.
 */
export function registerFonts(files: readonly string[]): Promise<void> {
  const faces = [...SANS, ...SERIF, ...MONO, THIN];
  const further = [...FURTHER_FONTS, ...files].map((file) => ({ file, name: SANS[0].name }));
  const added = [...faces, ...further].filter(({ file }) => !registered.has(file));
  for (const { file } of added) registered.add(file);
  if (added.length > 0) registration = registration.then(() => register(added));
  return registration;
}

async function register(faces: readonly Face[]): Promise<void> {
  for (const { file, name } of faces) {
    await sharp({ text: { text: '.', fontfile: file, font: `${name} 10`, rgba: true } })
      .raw()
      .toBuffer();
  }
}

/** By path. */
const opened = new Map<string, Promise<Font>>();

function openFont(file: string): Promise<Font> {
  const font = opened.get(file) ?? readFile(file).then(parseFontFile);
  opened.set(file, font);
  return font;
}

/** @throws Error for a file that is not a font, or a collection of several. */
export async function parseFontFile(content: Buffer): Promise<Font> {
  // Most texts need no reader of fonts.
  const { create } = await import('fontkit');
  const font = create(content);
  if (!('hasGlyphForCodePoint' in font)) throw new Error('a collection of fonts');
  return font;
}

/** Every face has these; the others need no glyph. */
const WITH_GLYPH = /^[\x20-\x7e\s\p{Default_Ignorable_Code_Point}]*$/u;

/**
 * The characters of a text, each once, for which no registered font has a glyph. They are rendered as boxes, unless the
 * machine has a font for them.
 * @param files The operator's fonts.
 */
export async function findMissingGlyphs(text: string, files: readonly string[]): Promise<readonly string[]> {
  const characters = [...new Set(text)].filter((character) => !WITH_GLYPH.test(character));
  if (characters.length === 0) return [];
  const fonts = await Promise.all([SANS[0].file, ...FURTHER_FONTS, ...files].map(openFont));
  return characters.filter(
    (character) => !fonts.some((font) => font.hasGlyphForCodePoint(character.codePointAt(0) ?? 0)),
  );
}
